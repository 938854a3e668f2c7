"""How fast text is written, against what the memory's bandwidth allows.

For each token all weights of the language model are read from memory once, however many rows there
are. So there is a limit:

    tokens a second  =  bytes read a second / bytes of the weights

Where the processor's cache holds a good part of the weights, the limit can be passed.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

import numpy as np
from PIL import Image

from bot.benchmarks.machine import Machine, measure_bandwidth
from model.cache import Progress, silent
from model.config import Profile
from model.generation import Decoder
from model.prompts import CAPTION_PROMPT

PREFILL = 52  # positions
TOKENS = 16  # written in each round
GUIDED = 0.4  # any scale but 1 takes two rows
PAUSE = 0.1  # seconds before each measurement, in which the threads of the last go to sleep
TITLES = {"openvino": "OpenVINO", "torch": "PyTorch"}


class Runtime(Protocol):
    """A language model and its tower, as one runtime computes them.

    Attributes:
        name: Of the runtime.
        threads: That it computes with.
        weight_bytes: Of the weights that it reads for each token.
    """

    name: str
    threads: int
    weight_bytes: int

    def prepare(self) -> None:
        """Called before each turn, for others have had theirs."""

    def see(self, image: Image.Image) -> None:
        """Run the tower and the mapper on a picture."""

    def prefill(self, positions: int) -> None:
        """Read so many positions at once."""

    def start(self, scales: Sequence[float]) -> Decoder:
        """Begin a caption: one row, or two if there is a scale of guidance."""


@dataclass
class Speed:
    """What one runtime took, in seconds, of each round or token.

    Attributes:
        name: Of the runtime.
        threads: That it computed with.
        weight_bytes: Read for each token.
        bandwidth: Bytes a second that as many threads read, of each round.
        vision: Tower and mapper on one picture.
        prefill: `PREFILL` positions at once.
        one_row: Each token of one row.
        two_rows: Each token of two rows, one of which guides the other.
    """

    name: str
    threads: int
    weight_bytes: int
    bandwidth: list[float] = field(default_factory=list)
    vision: list[float] = field(default_factory=list)
    prefill: list[float] = field(default_factory=list)
    one_row: list[float] = field(default_factory=list)
    two_rows: list[float] = field(default_factory=list)

    @property
    def limit(self) -> float:
        """Tokens a second that memory allows."""
        return statistics.median(self.bandwidth) / self.weight_bytes

    @property
    def pace(self) -> float:
        """Tokens a second of one row."""
        return 1 / statistics.median(self.one_row)

    @property
    def guided_pace(self) -> float:
        """Tokens a second of two rows, which are one text."""
        return 1 / statistics.median(self.two_rows)


def measure_decoding(
    runtimes: Sequence[Runtime],
    rounds: int,
    *,
    progress: Progress = silent,
    clock: Callable[[], float] = time.perf_counter,
    bandwidth: Callable[[int], float] = measure_bandwidth,
    pause: float = PAUSE,
) -> list[Speed]:
    """Time all of them in turns, after a turn each that is not measured.

    Args:
        runtimes: What is measured.
        rounds: How often each has its turn.
        progress: Told how far it is.
        clock: Tells seconds.
        bandwidth: Bytes a second that so many threads read.
        pause: Seconds to wait before each measurement.
    """
    found = [Speed(each.name, each.threads, each.weight_bytes) for each in runtimes]
    for each in runtimes:
        _take_turn(each, Speed("", 0, 0), clock, 0.0)
    for number in range(rounds):
        for each, speed in zip(runtimes, found, strict=True):
            progress("Measuring", number, rounds)
            time.sleep(pause)
            speed.bandwidth.append(bandwidth(each.threads))
            _take_turn(each, speed, clock, pause)
    return found


def _take_turn(runtime: Runtime, speed: Speed, clock: Callable[[], float], pause: float) -> None:
    def timed(run: Callable[[], object]) -> float:
        start = clock()
        run()
        return clock() - start

    runtime.prepare()
    picture = Image.new("RGB", (640, 480), "grey")
    time.sleep(pause)
    speed.vision.append(timed(lambda: runtime.see(picture)))
    time.sleep(pause)
    speed.prefill.append(timed(lambda: runtime.prefill(PREFILL)))
    for scales, seconds in (((), speed.one_row), ((GUIDED,), speed.two_rows)):
        time.sleep(pause)
        decoder = runtime.start(scales)
        for _ in range(TOKENS):
            token = int(decoder.logprobs[0].argmax())  # the same one: what it is takes no time
            seconds.append(timed(lambda: decoder.step([token])))  # noqa: B023 - called at once


# --- the two runtimes -------------------------------------------------------------------------


class OpenVinoRuntime:
    """The converted model.

    Args:
        profile: The profile.
        threads: CPU cores to use.
        int8: Whether the language model's weights are quantised.
        progress: Told what takes time.

    Raises:
        ProfileError, AdapterError, WeightsError, DeviceError: One plain sentence each.
    """

    name = "openvino"

    def __init__(self, profile: Profile, threads: int, int8: bool, progress: Progress) -> None:
        from model.openvino_vlm import OpenVinoVLM
        from model.runtime import load_model

        loaded = load_model(
            profile, "openvino", threads=threads, int8=int8, device="cpu", progress=progress
        )
        assert isinstance(loaded.model, OpenVinoVLM)
        self.threads, self._vlm = threads, loaded.model
        self.weight_bytes = self._vlm.weight_bytes
        self._prefix = np.zeros((1, 1, 1), np.float32)

    def prepare(self) -> None:
        """Nothing to do: its threads are its own."""

    def see(self, image: Image.Image) -> None:
        """Run the tower and the mapper on a picture."""
        [cache] = self._vlm.read_pictures([image])
        assert cache.prefix is not None
        self._prefix = cache.prefix[None]

    def prefill(self, positions: int) -> None:
        """Read so many positions at once."""
        copies = -(-positions // self._prefix.shape[1])
        embeddings = np.tile(self._prefix, (1, copies, 1))[:, :positions]
        visible = np.tril(np.ones((1, positions, positions), bool))
        places, rows = np.arange(positions)[None], np.zeros(1, np.int32)
        self._vlm.language.clear()
        self._vlm.language.read(embeddings, visible, places, rows, [positions - 1])

    def start(self, scales: Sequence[float]) -> Decoder:
        """Begin a caption: one row, or two if there is a scale of guidance."""
        caches = self._vlm.read_pictures([Image.new("RGB", (64, 64), "grey")])
        return self._vlm.start(caches, [self._vlm.tokens(CAPTION_PROMPT)], scales)


class TorchRuntime:
    """PyTorch's model, with the threads that one of its workers has.

    Args:
        profile: The profile.
        threads: CPU cores that all workers share.
        int8: Whether the language model's weights are quantised.
        progress: Told what takes time.

    Raises:
        ProfileError, AdapterError, WeightsError, DeviceError: One plain sentence each.
    """

    name = "torch"

    def __init__(self, profile: Profile, threads: int, int8: bool, progress: Progress) -> None:
        import torch

        from model.runtime import load_model
        from model.vlm import PrefixVLM

        loaded = load_model(
            profile, "torch", threads=threads, int8=int8, device="cpu", progress=progress
        )
        assert isinstance(loaded.model, PrefixVLM)
        self.threads, self._vlm = torch.get_num_threads(), loaded.model
        language = self._vlm.language
        tensors = [*language.parameters(), *language.buffers()]
        embeddings = language.get_input_embeddings()
        # Of the embeddings one row is read, unless the output multiplies by all of them.
        head = language.get_output_embeddings().weight
        apart = [each for each in [*embeddings.parameters(), *embeddings.buffers()]
                 if each is not head]  # fmt: skip
        unread = {id(each) for each in apart}
        self.weight_bytes = sum(each.nbytes for each in tensors if id(each) not in unread)
        self._prefix = torch.zeros(1, 1, self._vlm.width)

    def prepare(self) -> None:
        """Take the number of threads that it was loaded with."""
        import torch

        torch.set_num_threads(self.threads)

    def see(self, image: Image.Image) -> None:
        """Run the tower and the mapper on a picture."""
        import torch

        with torch.inference_mode():
            self._prefix = self._vlm.encode_and_detect([image])[0]

    def prefill(self, positions: int) -> None:
        """Read so many positions at once."""
        import torch

        with torch.inference_mode():
            copies = -(-positions // self._prefix.shape[1])
            self._vlm.prefill(self._prefix.repeat(1, copies, 1)[:, :positions])

    def start(self, scales: Sequence[float]) -> Decoder:
        """Begin a caption: one row, or two if there is a scale of guidance."""
        caches = self._vlm.read_pictures([Image.new("RGB", (64, 64), "grey")])
        return self._vlm.start(caches, [self._vlm.tokens(CAPTION_PROMPT)], scales)


# --- what is told -----------------------------------------------------------------------------


def report_text(machine: Machine, found: Sequence[Speed]) -> str:
    """A table: what each runtime takes, and its share of the limit."""
    return "\n".join(_lines(machine, found))


def _lines(machine: Machine, found: Sequence[Speed]) -> Iterator[str]:
    yield str(machine)
    yield ""
    rows: list[tuple[str, Callable[[Speed], str]]] = [
        ("threads", lambda each: f"{each.threads}"),
        ("tower and mapper", lambda each: _milliseconds(each.vision)),
        (f"prefill of {PREFILL}", lambda each: _milliseconds(each.prefill)),
        ("weights a token", lambda each: f"{each.weight_bytes / 1e6:.0f} MB"),
        ("memory", lambda each: f"{statistics.median(each.bandwidth) / 1e9:.1f} GB/s"),
        ("limit", lambda each: f"{each.limit:.1f} tokens/s"),
        ("one row", lambda each: f"{each.pace:.1f} tokens/s"),
        ("… of the limit", lambda each: f"{each.pace / each.limit:.0%}"),
        ("two guided rows", lambda each: f"{each.guided_pace:.1f} tokens/s"),
        ("… of the limit", lambda each: f"{each.guided_pace / each.limit:.0%}"),
    ]
    yield f"{'':22}" + "".join(f"{TITLES.get(each.name, each.name):>16}" for each in found)
    for title, cell in rows:
        yield f"{title:22}" + "".join(f"{cell(each):>16}" for each in found)


def _milliseconds(seconds: Sequence[float]) -> str:
    return f"{1000 * statistics.median(seconds):.1f} ms"


def report_json(machine: Machine, found: Sequence[Speed]) -> str:
    """All that was measured, and what is made of it."""
    runtimes: list[dict[str, Any]] = []
    for each in found:
        derived = {
            "limit_tokens_per_second": each.limit,
            "one_row_tokens_per_second": each.pace,
            "one_row_share": each.pace / each.limit,
            "two_rows_tokens_per_second": each.guided_pace,
            "two_rows_share": each.guided_pace / each.limit,
        }
        runtimes.append(asdict(each) | derived)
    facts = {"machine": asdict(machine), "prefill_positions": PREFILL, "runtimes": runtimes}
    return json.dumps(facts, indent=2) + "\n"
