"""The documents as tests read them: their blocks of commands, inline code, links and headings."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = (
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "PRIVACY.md",
    *sorted((ROOT / "docs").glob("*.md")),
    ROOT / "deploy/README.md",
    ROOT / "notebooks/README.md",
    ROOT / "finetune/RUNS.md",
    ROOT / "model/adapters/starter/README.md",
    ROOT / "data/samples/README.md",
)
SHELLS = ("console", "sh", "bash", "shell")
_FENCE = re.compile(
    r"(?:^<!-- not run by a test: (?P<reason>[^\n]+) -->\n)?"
    r"^```(?P<language>\w*)\n(?P<body>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Command:
    """One command of a block.

    Attributes:
        text: As it is typed, which may be several lines.
        output: What the document shows below it.
    """

    text: str
    output: tuple[str, ...] = ()


@dataclass(frozen=True)
class Block:
    """A fenced block of commands.

    Attributes:
        page: Where it stands.
        commands: What is typed.
        reason: Why no test can run it; "" if one does.
    """

    page: Path
    commands: tuple[Command, ...]
    reason: str


def name_of(page: Path) -> str:
    """A page's path inside the repository."""
    return page.relative_to(ROOT).as_posix()


def blocks(page: Path) -> Iterator[Block]:
    """The blocks of commands in a page."""
    for found in _FENCE.finditer(page.read_text(encoding="utf-8")):
        if found["language"] in SHELLS:
            yield Block(page, tuple(_commands(found["body"])), found["reason"] or "")


def _commands(body: str) -> Iterator[Command]:
    """Lines behind a prompt with what follows; without any prompt, every line is a command."""
    lines = re.sub(r"\\\n\s*", "", body).splitlines()
    prompted = any(line.startswith(("$ ", "# ")) for line in lines)
    text, output = "", []
    for line in lines:
        if prompted and not line.startswith(("$ ", "# ")):
            output.append(line)
            continue
        if text:
            yield Command(text, tuple(output))
        text, output = (line[2:] if prompted else line), []
    if text:
        yield Command(text, tuple(output))


def prose(page: Path) -> str:
    """A page without its fenced blocks."""
    return _FENCE.sub("", page.read_text(encoding="utf-8"))


def inline_code(page: Path) -> list[str]:
    """What stands in backticks, outside of blocks."""
    found = re.findall(r"`([^`\n]+)`", prose(page))
    return [each.replace("\\|", "|") for each in found]


def links(page: Path) -> Iterator[tuple[str, str]]:
    """Relative links: a file, or "" for this one, and an anchor or ""."""
    text = re.sub(r"`[^`\n]*`", "", prose(page))
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if not re.match(r"\w+:", target):
            yield target.partition("#")[0], target.partition("#")[2]


def anchors(page: Path) -> set[str]:
    """The names under which GitHub links to a page's headings."""
    headings = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    plain = [re.sub(r"[^\w\- ]", "", re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", h)) for h in headings]
    return {each.strip().lower().replace(" ", "-") for each in plain}


def words_after(text: str, program: str) -> Iterator[list[str]]:
    """The words that follow a program's name in a command line, up to a redirection or a pipe."""
    try:
        words = shlex.split(text, comments=True)
    except ValueError:  # an open quote: it is no command
        return
    while program in words:
        words = words[words.index(program) + 1 :]
        ends = (n for n, word in enumerate(words) if re.match(r"[|<>;&]|2>", word))
        yield words[: next(ends, len(words))]
