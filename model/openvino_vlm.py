"""`OpenVinoVLM`: what `PrefixVLM` is in PyTorch, computed by OpenVINO, for serving.

Keys and values live in the network: one request at a time has them as its state. What a picture's
prefix left there is copied out once, and in again for a later question; questions about the
pictures that were read last find them still there.

A row's result depends on no other row: activations are quantised by groups of their own numbers.
But sums are taken in an order that depends on how many rows there are, so that log-probabilities of
a batch and of its members alone may differ in the last bits.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray
from PIL import Image

from model.detections import Detections, detections_of
from model.generation import log_softmax
from model.memory import release_mapped
from model.preprocessing import pixels_of
from model.quiet_openvino import ov
from model.tokenizer import TextTokenizer

BLOCK = 32  # numbers that share a scale in GGUF's Q8_0
ACTIVATION_GROUP = 32  # activations that share a scale when they are quantised
NETWORKS = ("vision.xml", "language.xml")
COMPILED = "compiled"  # the folder of what OpenVINO made of them
HIDDEN = np.float32(-1e9)  # added to the attention to a position that a row must not see
Array = NDArray[np.float32]


@dataclass
class OpenVinoCache:
    """What one picture is to the language model.

    Attributes:
        prefix: Its prefix (P, C), until the language model has read it.
        layers: Keys and values of the prefix, of one layer after the other (2L, heads, P, size).
        positions: P, the number of prefix positions.
        bytes: Memory that this cache holds once its prefix was read.
        detections: What the object head sees in it.
    """

    prefix: Array | None
    layers: Array | None
    positions: int
    bytes: int
    detections: Detections = Detections()  # noqa: RUF009 - frozen


def is_compiled(folder: Path) -> bool:
    """Whether the networks of a folder were compiled before, and are not read again."""
    return len([*(folder / COMPILED).glob("*.blob")]) >= len(NETWORKS)


def _compile(folder: Path, threads: int) -> list[ov.CompiledModel]:
    """The networks of a folder, which keeps what OpenVINO made of them for this processor."""
    core = ov.Core()
    options = {"INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1, "PERFORMANCE_HINT": "LATENCY"}
    # Unasked, it computes in bfloat16 where the processor can, and answers differ by machine.
    options |= {"INFERENCE_PRECISION_HINT": "f32", "KV_CACHE_PRECISION": "f32"}
    options |= {"DYNAMIC_QUANTIZATION_GROUP_SIZE": ACTIVATION_GROUP}
    compiled, writable = folder / COMPILED, os.access(folder, os.W_OK)
    if writable or compiled.is_dir():
        core.set_property({"CACHE_DIR": str(compiled)})
    # One process at a time compiles; others then read what it wrote.
    with FileLock(folder / "lock") if writable else nullcontext():
        return [core.compile_model(folder / name, "CPU", options) for name in NETWORKS]


@dataclass(frozen=True)
class _Boxes:
    classes: NDArray[np.int64]
    scores: Array
    corners: Array


class OpenVinoVLM:
    """A converted model.

    Args:
        folder: What `model.conversion.convert` wrote.
        threads: CPU cores to use.

    Attributes:
        end: The end token.
        object_names: Of the classes that the object head knows.
        object_boxes: How many of them have boxes; they come first.

    Raises:
        Exception: The files are damaged, or OpenVINO cannot run them here.
    """

    def __init__(self, folder: Path, threads: int) -> None:
        facts = json.loads((folder / "model.json").read_text(encoding="utf-8"))
        self.end: int = facts["end"]
        self.object_names: tuple[str, ...] = tuple(facts["object_names"])
        self.object_boxes: int = facts["object_boxes"]
        self.calibration: dict[str, float] = facts["calibration"]
        self._side: int = facts["image_size"]
        self._tokenizer = TextTokenizer(folder / "tokenizer.json")
        self.unwritable: NDArray[np.bool_] = np.load(folder / "unwritable.npy")
        self._embeddings = _Embeddings(folder)
        self._folder = folder
        vision, language = _compile(folder, threads)
        self._vision, self._vision_request = vision, vision.create_infer_request()
        self.language = Language(language)

    @property
    def weight_bytes(self) -> int:
        """Bytes of the language model's weights, all of which are read for each token."""
        return (self._folder / NETWORKS[1]).with_suffix(".bin").stat().st_size

    def release(self) -> None:
        """Give back the memory of the files' weights: OpenVINO computes with a copy of its own."""
        release_mapped(self._folder)

    def tokens(self, text: str) -> list[int]:
        """Token ids of a text, without any special tokens, not even those that it spells out."""
        return self._tokenizer.tokens(text)

    def text_of(self, tokens: Sequence[int]) -> str:
        """The text of tokens, special ones left out."""
        return self._tokenizer.text_of(tokens)

    def embed(self, tokens: NDArray[np.int64]) -> Array:
        """Token ids (...) → embeddings (..., C)."""
        return self._embeddings(tokens)

    def read_pictures(self, images: Sequence[Image.Image]) -> list[OpenVinoCache]:
        """RGB pictures → what each is to the language model."""
        return [self._read_picture(image) for image in images]

    def _read_picture(self, image: Image.Image) -> OpenVinoCache:
        found = self._vision_request.infer([pixels_of([image], self._side)])
        prefix, *seen = (np.array(found[port]) for port in self._vision.outputs)
        detections = Detections()
        if seen:
            classes, scores, corners, there, counts = seen
            boxes = _Boxes(classes, scores, corners)
            [detections] = detections_of(boxes, there, counts, self.object_names)
        positions = prefix.shape[1]
        size = positions * self.language.position_bytes
        return OpenVinoCache(prefix[0], None, positions, size, detections)

    def start(
        self,
        caches: Sequence[OpenVinoCache],
        prompts: Sequence[Sequence[int]],
        scales: Sequence[float] = (),
        ahead: Sequence[Sequence[int]] = (),
    ) -> OpenVinoDecoder:
        """Read prompts, as token ids, behind cached prefixes, see `model.generation.Decoder`."""
        unique = list({id(cache): cache for cache in caches}.values())
        fresh = [cache for cache in unique if cache.layers is None]
        if len(fresh) == len(caches):  # each prefix is read in one pass with its prompt
            self.language.clear()
            return OpenVinoDecoder(self, caches, np.arange(len(caches)), prompts, scales, ahead)
        if fresh:
            self._read_prefixes(fresh)
        self.language.set_state(np.stack([_known(cache.layers) for cache in unique], axis=1))
        row_of = {id(cache): row for row, cache in enumerate(unique)}
        rows = np.array([row_of[id(cache)] for cache in caches])
        return OpenVinoDecoder(self, caches, rows, prompts, scales, ahead)

    def _read_prefixes(self, caches: Sequence[OpenVinoCache]) -> None:
        prefix = np.stack([_known(cache.prefix) for cache in caches])
        rows, positions, _ = prefix.shape
        places = np.broadcast_to(np.arange(positions), (rows, positions))
        visible = np.tril(np.ones((positions, positions), bool))
        self.language.clear()
        keep = [positions - 1]
        self.language.read(prefix, np.repeat(visible[None], rows, 0), places, np.arange(rows), keep)
        self.keep_prefixes(caches)

    def keep_prefixes(self, caches: Sequence[OpenVinoCache]) -> None:
        """Copy keys and values of the prefixes, with which the state begins, to their caches."""
        layers = self.language.state(caches[0].positions)  # (2L, B, heads, P, size)
        for row, cache in enumerate(caches):
            cache.layers, cache.prefix = np.ascontiguousarray(layers[:, row]), None


class _Embeddings:
    """Of the tokens, mapped into memory: only those that are used are read."""

    def __init__(self, folder: Path) -> None:
        self._rows = np.load(folder / "embeddings.npy", mmap_mode="r")
        scales = folder / "scales.npy"
        self._scales = np.load(scales, mmap_mode="r") if scales.is_file() else None

    def __call__(self, tokens: NDArray[np.int64]) -> Array:
        found: Array = self._rows[tokens].astype(np.float32)
        if self._scales is None:
            return found
        blocks = found.reshape(*tokens.shape, -1, BLOCK)
        scaled: Array = blocks * self._scales[tokens].astype(np.float32)[..., None]
        return scaled.reshape(found.shape)


class Language:
    """The language model with the keys and values of what it has read.

    Args:
        compiled: What OpenVINO made of language.xml.
    """

    def __init__(self, compiled: ov.CompiledModel) -> None:
        self._request = compiled.create_infer_request()
        # Named past.0present.0, past.1present.1, … : keys and values of one layer after the other.
        states = {state.name: state for state in self._request.query_state()}
        names = sorted(states, key=lambda name: int(name.rpartition(".")[2]))
        self._states = [states[name] for name in names]
        shape = self._states[0].state.shape  # (B, heads, positions, size)
        self.position_bytes = len(self._states) * shape[1] * shape[3] * 4

    def clear(self) -> None:
        """Forget what was read."""
        self._request.reset_state()

    def state(self, positions: int) -> Array:
        """Keys and values of the first positions, of all rows (2L, B, heads, positions, size)."""
        return np.stack([state.state.data[:, :, :positions] for state in self._states])

    def set_state(self, layers: Array) -> None:
        """Go on behind these keys and values (2L, B, heads, positions, size)."""
        for state, each in zip(self._states, layers, strict=True):
            state.state = ov.Tensor(np.ascontiguousarray(each))

    def read(
        self,
        embeddings: Array,
        visible: NDArray[np.bool_],
        places: NDArray[Any],
        rows: NDArray[Any],
        keep: Sequence[int],
    ) -> Array:
        """Read on, and keep keys and values of it.

        Args:
            embeddings: What to read (B, T, C).
            visible: Which of all positions, those of the state first, each one sees (B, T, S).
            places: Of what is read, as the network's positional encoding counts (B, T).
            rows: Which row of the state each row goes on from (B).
            keep: The positions in what is read whose logits are wanted (K).

        Returns:
            Logits of what follows these positions (B, K, V); valid until the next call.
        """
        feed = {
            "embeddings": np.ascontiguousarray(embeddings),
            "mask": np.where(visible, np.float32(0), HIDDEN)[:, None],
            "positions": np.ascontiguousarray(places, np.int64),
            "rows": np.ascontiguousarray(rows, np.int32),
            "keep": np.array(keep, np.int64),
        }
        self._request.infer(feed, share_inputs=True)
        logits: Array = self._request.get_output_tensor(0).data
        return logits


class OpenVinoDecoder:
    """Feeds tokens to the language model step by step, see `model.generation.Decoder`.

    With guidance, each prompt is read twice, one copy behind the other, and the second sees
    nothing but itself. From then on there are two rows for each: one that sees prefix and prompt,
    one that sees the copy.

    Tokens that may well come first are read in the same pass as the prompts, none of which sees
    another: a tree of one level (Miao et al., arXiv 2305.09781). A first step with them is free.
    """

    def __init__(  # noqa: PLR0917
        self,
        vlm: OpenVinoVLM,
        caches: Sequence[OpenVinoCache],
        rows: NDArray[Any],
        prompts: Sequence[Sequence[int]],
        scales: Sequence[float],
        ahead: Sequence[Sequence[int]],
    ) -> None:
        self._vlm = vlm
        self._times = 1 if all(scale == 1 for scale in scales) else 2
        self._scales = np.array(scales, np.float32)[:, None]
        count, prefix = len(prompts), caches[0].positions
        tokens, index = _align(prompts, vlm.end)  # (B, L) both
        # Rows have one length, so that it is as many tokens for each, or none.
        even = len({len(each) for each in ahead}) == 1
        self._ahead = np.array([*ahead] if even else [[]] * count, np.int64)  # (B, K)
        copies = [np.tile(each, (1, self._times)) for each in (tokens, self._ahead)]
        embeddings = vlm.embed(np.concatenate(copies, axis=1))
        visible, places, ends = _arrange(index, prefix, self._times, self._ahead.shape[1])
        fresh = caches[0].prefix is not None
        if fresh:
            embeddings = np.concatenate(
                [np.stack([_known(cache.prefix) for cache in caches]), embeddings], axis=1
            )
            before = np.zeros((count, prefix, visible.shape[2]), bool)
            before[:, :, :prefix] = np.tril(np.ones((prefix, prefix), bool))
            visible = np.concatenate([before, visible], axis=1)
            first = np.broadcast_to(np.arange(prefix), (count, prefix))
            places, ends = np.concatenate([first, places], axis=1), ends + prefix
        logits = vlm.language.read(embeddings, visible, places, rows, ends.ravel().tolist())
        logits = logits.reshape(count, *ends.shape, -1)
        logits = logits.transpose(2, 1, 0, 3)  # (1 + K, times, B, V)
        if fresh:
            vlm.keep_prefixes(caches)
        # Which positions each row goes on seeing: those of its last token, without padding.
        self._seen = np.concatenate([visible[:, end] for end in ends[:, 0]])  # (B x times, S)
        self._ahead_seen = visible[:, ends[:, 1:]].transpose(2, 1, 0, 3)  # (K, times, B, S)
        self._ahead_logits = logits[1:].copy()
        self._places = np.tile(prefix + index[:, -1:], (self._times, 1))
        self._rows = np.tile(np.arange(count, dtype=np.int32), self._times)
        self.logprobs = self._guided(logits[0].reshape(-1, logits.shape[-1]))

    def step(self, tokens: Sequence[int]) -> Array:
        """Next tokens (B) → log-probabilities (B, V) of what follows."""
        self._places = self._places + 1
        if (known := self._read_ahead(tokens)) is not None:
            return known
        ones = np.ones((len(self._seen), 1), bool)
        self._seen = np.concatenate([self._seen, ones], axis=1)
        ids = np.tile(np.array(tokens, np.int64)[:, None], (self._times, 1))
        embeddings, visible = self._vlm.embed(ids), self._seen[:, None]
        logits = self._vlm.language.read(embeddings, visible, self._places, self._rows, [0])
        self._rows = np.arange(len(ids), dtype=np.int32)
        return self._guided(logits[:, 0])

    def _read_ahead(self, tokens: Sequence[int]) -> Array | None:
        """The same for tokens that were read with the prompts; None if others are among them."""
        same = self._ahead == np.array(tokens)[:, None]  # (B, K)
        self._ahead = self._ahead[:, :0]  # only the first step can be known
        if not same.any(axis=1).all():
            return None
        which, rows = same.argmax(axis=1), np.arange(len(tokens))
        seen = self._ahead_seen[which, :, rows].swapaxes(0, 1)  # (times, B, S)
        logits = self._ahead_logits[which, :, rows].swapaxes(0, 1)
        self._seen = seen.reshape(-1, seen.shape[-1])
        return self._guided(logits.reshape(-1, logits.shape[-1]))

    def select(self, rows: Sequence[int]) -> None:
        """Go on with these rows only, some of them perhaps several times."""
        count = len(self._seen) // self._times
        chosen = np.array(rows, np.int32)
        if self._times == 2:
            self._scales = self._scales[chosen]
        self._ahead = self._ahead[chosen]
        self._ahead_seen = self._ahead_seen[:, :, chosen]
        self._ahead_logits = self._ahead_logits[:, :, chosen]
        chosen = np.concatenate([chosen + count * half for half in range(self._times)])
        self._rows = self._rows[chosen]
        self._seen, self._places = self._seen[chosen], self._places[chosen]

    def _guided(self, logits: Array) -> Array:
        """Logits (B x times, V) → log-probabilities (B, V)."""
        if self._times == 2:  # logits do as well as log-probabilities: a row's constant drops out
            seen, blind = np.split(logits, 2)
            logits = blind + self._scales * (seen - blind)
        logprobs = log_softmax(logits)
        logprobs[:, self._vlm.unwritable] = -np.inf
        return logprobs


def _known(array: Array | None) -> Array:
    assert array is not None  # a cache has one or the other
    return array


def _arrange(
    index: NDArray[np.int64], prefix: int, times: int, ahead: int
) -> tuple[NDArray[np.bool_], NDArray[np.int64], NDArray[np.int64]]:
    """How prompts are read behind their prefixes: all their copies, then what may follow each.

    Args:
        index: Where each token is in its prompt, less than 0 for padding (B, L).
        prefix: P, positions of the prefix.
        times: Copies of each prompt; the second does not see the prefix.
        ahead: K, tokens that may follow each copy.

    Returns:
        Which positions each one sees (B, T, P + T), with T = times (L + K); their places for the
        positional encoding (B, T); and where in T the last token of each copy and those that may
        follow it are (times, 1 + K).
    """
    count, length = index.shape
    total = times * (length + ahead)
    causal = np.tril(np.ones((length, length), bool)) & (index >= 0)[:, None]
    causal |= np.eye(length, dtype=bool)  # or the softmax of padding would be of nothing
    visible = np.zeros((count, total, prefix + total), bool)
    ends = np.empty((times, 1 + ahead), np.int64)
    for copy in range(times):
        mine = slice(copy * length, (copy + 1) * length)
        visible[:, mine, prefix:][:, :, mine] = causal
        visible[:, mine, :prefix] = copy == 0
        ends[copy, 0] = mine.stop - 1
        ends[copy, 1:] = times * length + copy * ahead + np.arange(ahead)
        for following in ends[copy, 1:]:
            visible[:, following] = visible[:, mine.stop - 1]
            visible[:, following, prefix + following] = True
    behind = np.repeat(index[:, -1:] + 1, times * ahead, axis=1)
    places = prefix + np.concatenate([np.tile(index.clip(0), (1, times)), behind], axis=1)
    return visible, places, ends


def _align(
    prompts: Sequence[Sequence[int]], padding: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Prompts of different lengths, aligned at the right.

    Returns:
        Their tokens (B, L), and where each is in its prompt (B, L), less than 0 for padding.
    """
    longest = max(len(prompt) for prompt in prompts)
    tokens = np.full((len(prompts), longest), padding, np.int64)
    index = np.empty((len(prompts), longest), np.int64)
    for row, prompt in enumerate(prompts):
        tokens[row, longest - len(prompt) :] = prompt
        index[row] = np.arange(longest) - (longest - len(prompt))
    return tokens, index
