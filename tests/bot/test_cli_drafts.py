"""`glimpse ask` on a terminal, which shows an answer while it is written."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from faulty_server import DONE, FaultyServer, chunk, events, faulty_server

WORDS = [f"{word} " for word in ["A", "brown", "dog", "runs", "over", "the", "grass."]]


@pytest.fixture
def server() -> Iterator[tuple[FaultyServer, threading.Event]]:
    """Writes some words, and the others when it is told to."""
    go_on = threading.Event()
    later = [events(*map(chunk, WORDS[5:]), *DONE).partition(b"\r\n\r\n")[2]]

    def rest() -> bytes:
        assert go_on.wait(60)
        return later.pop() if later else b""

    with faulty_server() as faulty:
        faulty.responses = [events(chunk("".join(WORDS[:5])))]
        faulty.rest = rest
        yield faulty, go_on


def command(folder: Path, url: str, *options: str) -> list[str]:
    path = folder / "far.toml"
    path.write_text(f'kind = "openai"\n[server]\nurl = "{url}"\nmodel = "m"\n')
    photo = str(Path(__file__).parents[2] / "data" / "samples" / "cat.jpg")
    asked = ["ask", photo, "What does the sign say?", "--profile", str(path)]
    return [sys.executable, "-m", "bot.cli", *asked, *options]


def test_words_are_shown_as_they_come_and_the_answer_stays(
    server: tuple[FaultyServer, threading.Event], tmp_path: Path
) -> None:
    faulty, go_on = server
    terminal, end = pty.openpty()
    environment = os.environ | {"TERM": "xterm-256color", "COLUMNS": "200"}
    with subprocess.Popen(
        command(tmp_path, faulty.url), stdin=end, stdout=end, stderr=end, env=environment
    ) as process:
        os.close(end)
        seen = b""
        while b"A brown dog runs over" not in seen:
            seen += os.read(terminal, 1000)
        assert b"grass" not in seen
        go_on.set()
        rest = b""
        while b"grass.\r\n" not in rest:
            rest += os.read(terminal, 1000)
        assert process.wait(30) == 0
    os.close(terminal)
    assert rest.rpartition(b"\x1b[2K")[2] == b"A brown dog runs over the grass.\r\n"


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_nothing_but_the_answer_goes_to_a_program(
    server: tuple[FaultyServer, threading.Event], tmp_path: Path, options: tuple[str, ...]
) -> None:
    faulty, go_on = server
    go_on.set()
    done = subprocess.run(
        command(tmp_path, faulty.url, *options), capture_output=True, text=True, check=True
    )
    assert done.stdout.count("A brown dog runs over") == 1
    assert done.stdout.count("\n") == 1
    assert "\x1b" not in done.stdout
