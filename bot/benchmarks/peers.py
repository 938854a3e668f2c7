"""How fast Glimpse answers beside well-known shapes: measured in turns, told as table and picture.

In each round every one has its turn on the same pictures, so that whatever else the machine does
hits all alike. Where memory is short, one after the other is made and measured alone.
"""

from __future__ import annotations

import gc
import json
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

import numpy as np
import psutil  # type: ignore[import-untyped]
from PIL import Image, ImageDraw

from bot.benchmarks.machine import Machine
from model.cache import Progress, silent

CAPTION_TOKENS = 12  # a sentence
ANSWER_TOKENS = 2  # a word and the end
TASKS = ("caption", "answer", "follow_up")
TITLES = {"caption": "caption", "answer": "answer", "follow_up": "follow-up"}
ROOM = 10_000_000_000  # bytes that all of them take together
PAUSE = 0.1  # seconds before a task, in which the threads of the one before go to sleep
PHOTO = (1280, 960)  # pixels: what messengers make of a phone's photo


class Peer(Protocol):
    """What is measured. Each method gives the number of tokens that were written."""

    def prepare(self) -> None:
        """Called before each turn, for others have had theirs."""

    def caption(self, image: Image.Image) -> int:
        """Describe a fresh RGB picture."""

    def answer(self, image: Image.Image) -> int:
        """Answer a question about a fresh RGB picture."""

    def follow_up(self) -> int | None:
        """Answer another one about the same picture; None if nothing is kept of it."""

    def close(self) -> None:
        """Stop what runs."""


@dataclass(frozen=True)
class Kind:
    """What can be measured.

    Attributes:
        title: What people read.
        build: Makes it, for a number of threads.
    """

    title: str
    build: Callable[[int], Peer]


@dataclass
class Timings:
    """What one of them took.

    Attributes:
        name: As `--only` knows it.
        title: As people read it.
        seconds: Of each round, by task; follow-ups are missing where nothing is kept.
    """

    name: str
    title: str
    seconds: dict[str, list[float]] = field(default_factory=dict)

    def median(self, task: str) -> float | None:
        """Seconds in the middle; None if there is no such task."""
        found = self.seconds.get(task)
        return statistics.median(found) if found else None


@dataclass(frozen=True)
class Comparison:
    """What was measured. Ratios are to the first one.

    Attributes:
        machine: Where.
        together: Whether they had turns in each round; else one was measured after the other.
        rounds: How often each task was timed.
        peers: What each took.
    """

    machine: Machine
    together: bool
    rounds: int
    peers: list[Timings]

    @property
    def note(self) -> str:
        """How it was measured."""
        turns = "in turns" if self.together else "one after the other, for memory is short"
        return (
            f"seconds, the median of {self.rounds}, {turns}; "
            f"{CAPTION_TOKENS} tokens a caption, {ANSWER_TOKENS} an answer"
        )

    def times(self, peer: Timings, task: str) -> float | None:
        """How many times as long as the first one it takes, by medians."""
        own, first = peer.median(task), self.peers[0].median(task)
        return own / first if own is not None and first else None


def measure_peers(
    kinds: Mapping[str, Kind],
    threads: int,
    rounds: int,
    *,
    together: bool,
    progress: Progress = silent,
    clock: Callable[[], float] = time.perf_counter,
    pause: float = PAUSE,
) -> list[Timings]:
    """Make what is compared, let everything run once unmeasured, then time it in turns.

    Args:
        kinds: What is compared, by name.
        threads: CPU cores to use.
        rounds: How often each task is timed.
        together: Hold all of them in memory at once.
        progress: Told how far it is.
        clock: Tells seconds.
        pause: Seconds to wait before each task.

    Raises:
        RuntimeError: One wrote another number of tokens than the others.
    """
    found = {name: Timings(name, kind.title) for name, kind in kinds.items()}
    steps = len(kinds) * (1 + rounds)
    done = 0
    for group in [[*kinds]] if together else [[name] for name in kinds]:
        with ExitStack() as stack:
            peers = {}
            for name in group:
                progress("Comparing", done, steps)
                peers[name] = stack.enter_context(closing(kinds[name].build(threads)))
                _take_turn(peers[name], 0, Timings(name, ""), clock, 0.0)
                done += 1
            for number in range(1, 1 + rounds):
                for name, peer in peers.items():
                    progress("Comparing", done, steps)
                    _take_turn(peer, number, found[name], clock, pause)
                    done += 1
        del peers, peer
        gc.collect()
    return [*found.values()]


def _take_turn(
    peer: Peer, number: int, found: Timings, clock: Callable[[], float], pause: float
) -> None:
    """Time each task once; a caption and an answer are about pictures of their own."""
    described, asked = draw_picture(2 * number), draw_picture(2 * number + 1)
    tasks: dict[str, tuple[Callable[[], int | None], int]] = {
        "caption": (lambda: peer.caption(described), CAPTION_TOKENS),
        "answer": (lambda: peer.answer(asked), ANSWER_TOKENS),
        "follow_up": (peer.follow_up, ANSWER_TOKENS),
    }
    peer.prepare()
    for task, (run, wanted) in tasks.items():
        time.sleep(pause)
        start = clock()
        written = run()
        seconds = clock() - start
        if written is None:
            continue
        if written != wanted:
            raise RuntimeError(f"{found.name} wrote {written} tokens instead of {wanted}")
        found.seconds.setdefault(task, []).append(seconds)


def enough_memory() -> bool:
    """Whether all of them fit into memory at once."""
    return int(psutil.virtual_memory().available) >= ROOM


def draw_picture(number: int) -> Image.Image:
    """A picture of a few shapes, another one for each number, as large as a photo."""
    chance = np.random.default_rng(number)
    blocks = chance.integers(0, 256, (6, 8, 3), dtype=np.uint8)
    picture = Image.fromarray(blocks).resize(PHOTO, Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(picture)
    for shape in (draw.ellipse, draw.rectangle, draw.ellipse):
        left, top = (int(chance.integers(0, side - 200)) for side in PHOTO)
        width, height = (int(chance.integers(80, 200)) for _ in range(2))
        red, green, blue = (int(part) for part in chance.integers(0, 256, 3))
        shape((left, top, left + width, top + height), fill=(red, green, blue))
    return picture


# --- what is told -----------------------------------------------------------------------------


def report_text(found: Comparison) -> str:
    """A table of medians, with ratios to the first one."""
    return "\n".join(_lines(found))


def _lines(found: Comparison) -> Iterator[str]:
    yield str(found.machine)
    yield found.note
    if len(found.peers) > 1:
        yield f"(in brackets: times as long as {found.peers[0].title} takes)"
    yield ""
    wide = max(len(peer.title) for peer in found.peers)
    yield f"{'':{wide}}" + "".join(f"{TITLES[task]:>18}" for task in TASKS)
    for peer in found.peers:
        yield f"{peer.title:{wide}}" + "".join(f"{_cell(found, peer, task):>18}" for task in TASKS)


def _cell(found: Comparison, peer: Timings, task: str) -> str:
    seconds, times = peer.median(task), found.times(peer, task)
    if seconds is None:
        return "-"
    return f"{seconds:.3f}" if times is None else f"{seconds:.3f} ({times:5.2f})"


def report_json(found: Comparison) -> str:
    """All that was measured, and the medians and ratios made of it."""
    peers: list[dict[str, Any]] = []
    for peer in found.peers:
        medians = {task: peer.median(task) for task in TASKS}
        times = {task: found.times(peer, task) for task in TASKS}
        names = {"name": peer.name, "title": peer.title}
        peers.append(names | {"median": medians, "times": times, "seconds": peer.seconds})
    tokens = {"caption": CAPTION_TOKENS, "answer": ANSWER_TOKENS}
    facts = asdict(found) | {"tokens": tokens, "peers": peers}
    return json.dumps(facts, indent=2) + "\n"


def report_picture(found: Comparison) -> str:
    """A bar chart of the medians as SVG."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("bot", "benchmarks"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    every = [peer.median(task) or 0.0 for peer in found.peers for task in TASKS]
    text: str = environment.get_template("peers.svg.jinja").render(
        groups=_groups(found),
        tasks=[(task, TITLES[task]) for task in TASKS],
        longest=max(every),
        machine=str(found.machine).splitlines(),
        note=found.note,
    )
    return text


def _groups(found: Comparison) -> Sequence[tuple[str, list[tuple[str, float, str]]]]:
    """For each of them its title and its bars: task, seconds, label."""
    groups = []
    for peer in found.peers:
        bars = []
        for task in TASKS:
            seconds, times = peer.median(task), found.times(peer, task)
            if seconds is not None:
                more = "" if times is None or peer is found.peers[0] else f" ({times:.1f} times)"
                bars.append((task, seconds, f"{seconds:.2f} s{more}"))
        groups.append((peer.title, bars))
    return groups
