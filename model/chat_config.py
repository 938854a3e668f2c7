"""Profiles whose chat model, from the model hub, computes in this process."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from model.config import (
    TRANSFORMERS,
    Count,
    Name,
    Number,
    Positive,
    build,
    expand,
    read_table,
)
from model.errors import ProfileError
from model.requests import KEPT_TURNS, Capabilities
from model.server_config import CAPTION_PROMPT, SYSTEM_PROMPT, RemoteProfile, load_remote

_COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class ChatConfig:
    """The chat model, and how it is asked.

    Attributes:
        source: A hub id, or a folder in the hub's format; a path relative to the profile's file.
        revision: Commit, tag or branch on the hub; "" for the newest when it is fetched.
        trust_remote_code: Run the code that comes with the weights.
        dtype: What weights are computed in; "auto" is bfloat16 where the machine has it, else
            float32.
        device: "cpu", "cuda", or "auto" for a GPU if there is one.
        threads: CPU cores to use, where nothing else says so; 0 for all.
        system: The system prompt.
        caption: What is asked for a caption.
        temperature: Of answers; other answers ("Try again") are drawn at 0.8 at least.
        most_tokens: Most tokens of an answer.
        timeout: Seconds for one answer, which then ends where it is.
        turns: Most earlier questions about the picture that go along, with their answers.
        languages: Those in which it is asked as people ask, and answers; other questions are
            translated to English.
        reads: It is asked what is written in pictures.
        queue: Most questions waiting for their turn.
        longest_side: Of the picture that the model gets, in pixels.
        processor: More arguments for the model's picture processor.
    """

    source: Name
    revision: str = ""
    trust_remote_code: bool = False
    dtype: Literal["auto", "bfloat16", "float16", "float32"] = "auto"
    device: Name = "auto"
    threads: Count = 0
    system: str = SYSTEM_PROMPT
    caption: Name = CAPTION_PROMPT
    temperature: Number = 0.0
    most_tokens: Positive = 300
    timeout: Annotated[Number, Field(ge=1)] = 60.0
    turns: Annotated[Count, Field(le=KEPT_TURNS)] = 4
    languages: tuple[Literal["en", "de"], ...] = ("en", "de")
    reads: bool = True
    queue: Positive = 16
    longest_side: Annotated[Positive, Field(ge=32)] = 1024
    processor: dict[str, Any] = field(default_factory=dict, hash=False)

    @property
    def is_pinned(self) -> bool:
        """Whether the very same files are meant for ever."""
        return bool(_COMMIT.fullmatch(self.revision))


@dataclass(frozen=True)
class ChatProfile:
    """One assistant whose chat model computes in this process.

    Attributes:
        name: As the settings name it.
        kind: "transformers".
        chat: The model, and how it is asked.
    """

    name: str
    kind: Literal["transformers"]
    chat: ChatConfig

    @property
    def capabilities(self) -> Capabilities:
        """What the model can do, as far as the profile knows."""
        return Capabilities(True, self.chat.languages, self.chat.reads)


def load_chat(name: str | os.PathLike[str]) -> ChatProfile | None:
    """Read a profile as `load_profile` does; None if it is of another kind.

    Raises:
        ProfileError: No such profile, a syntax error, an unknown key or an impossible value.
    """
    table, path = read_table(name)
    return chat_from_table(table, path) if table.get("kind") == TRANSFORMERS else None


def load_chat_kind(name: str | os.PathLike[str]) -> RemoteProfile | ChatProfile | None:
    """Read the profile of a chat model, on a server or in this process; None if it is no such one.

    Raises:
        ProfileError: No such profile, a syntax error, an unknown key or an impossible value.
    """
    return load_remote(name) or load_chat(name)


def chat_from_table(table: Mapping[str, Any], path: Path) -> ChatProfile:
    """Build a profile from a parsed TOML table; `path` is the file it came from."""
    for name in ("server", "tower", "mapper", "language", "decoding", "adapter"):
        if name in table:
            raise ProfileError(f"The profile {path.name} has both a chat model and {name!r}.")
    if not isinstance(table.get("chat"), dict):
        raise ProfileError(f"The profile {path.name} lacks the section [chat].")
    profile = build(ChatProfile, {"name": path.stem, **table}, path.name)
    local = path.parent / expand(profile.chat.source)
    if not local.is_dir():
        return profile
    return replace(profile, chat=replace(profile.chat, source=str(local.resolve())))
