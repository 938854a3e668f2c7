"""`glimpse` in a process of its own, with a stand-in for the engine; run as a script by the tests.

The engine fails on questions about wombats, with the question in its exception, and is loaded once
the file that TEST_LOADED names is there.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent


@dataclass
class Running:
    """The process, and the lines that it has written so far."""

    process: Process
    out: list[str] = field(default_factory=list)
    err: list[str] = field(default_factory=list)

    async def until(self, condition: Callable[[], Any], seconds: float = 30) -> Any:
        """Wait until a condition holds, and return what it gave."""
        async with asyncio.timeout(seconds):
            while not (found := condition()):
                assert self.process.returncode is None, "\n".join(self.err)
                await asyncio.sleep(0.01)
        return found


@asynccontextmanager
async def bot_process(*arguments: str, **environment: str) -> AsyncIterator[Running]:
    """Run a command; it is ended by SIGTERM, and `running.process.returncode` then tells how."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, __file__, *arguments, cwd=HERE.parents[1], stdin=asyncio.subprocess.DEVNULL,
        stdout=PIPE, stderr=PIPE, env={**os.environ, **environment},
    )  # fmt: skip
    running = Running(process)
    assert process.stdout is not None
    assert process.stderr is not None
    reading = [
        asyncio.ensure_future(_keep(process.stdout, running.out)),
        asyncio.ensure_future(_keep(process.stderr, running.err)),
    ]
    try:
        yield running
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(30):
                await process.wait()
        finally:
            if process.returncode is None:
                process.kill()
            await asyncio.gather(*reading)


async def _keep(stream: asyncio.StreamReader, lines: list[str]) -> None:
    async for line in stream:
        lines.append(line.decode().rstrip("\n"))


def _main() -> int:
    from cli_runner import FakeEngine
    from engine_stand_in import Said, see

    from bot.cli import main
    from bot.cli.context import AppContext
    from data.images.open import Picture

    def answer(picture: Picture, question: str | None) -> Said | Exception:
        if question and "wombat" in question:
            return ValueError(f"cannot parse {question!r}")
        return see(picture, question)

    def load(_profile: str, _threads: int | None, _int8: bool, **_options: object) -> FakeEngine:
        while (loaded := os.environ.get("TEST_LOADED")) and not Path(loaded).exists():
            time.sleep(0.01)
        return FakeEngine(answer=answer)

    return main(sys.argv[1:], AppContext(load))


if __name__ == "__main__":
    sys.path.insert(1, str(HERE.parents[1]))
    sys.exit(_main())
