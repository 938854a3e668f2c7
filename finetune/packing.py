"""Packing: many texts about one picture behind one prefix, several pictures in one row.

    [ prefix P ][ Caption: a dog … ][ Question: … Answer: brown ] [ prefix P ][ Caption: …

A text sees its picture's prefix and itself, never its neighbours, and its positions start at P, so
that every text is computed exactly as if it stood alone behind the prefix (a test holds this
equal). The prefix is computed once for a picture instead of once for a text, and hardly any
position is padding: together that halves the work. Texts without a picture share rows likewise.
Packing without cross-contamination: Krell et al. 2021, arXiv 2107.02027.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor

CAPACITIES = (160, 192, 224, 256, 320)  # attention takes longer the longer rows are


@dataclass(frozen=True)
class Segment:
    """One text: prompt tokens (one or more), then the target tokens that are learnt.

    Attributes:
        prompt: Token ids that are given.
        target: Token ids that are learnt.
        weight: Weight of each learnt token in the loss; below zero, the token is unlearnt.
    """

    prompt: tuple[int, ...]
    target: tuple[int, ...]
    weight: float = 1.0


@dataclass(frozen=True)
class Group:
    """Texts about one picture, or without any."""

    segments: tuple[Segment, ...]
    has_picture: bool

    @property
    def weight(self) -> float:
        """What its learnt tokens weigh together, those to be unlearnt by their size."""
        return sum(len(segment.target) * abs(segment.weight) for segment in self.segments)

    def length(self, positions: int) -> int:
        """Tokens that the group takes, a prefix of `positions` included."""
        texts = sum(len(s.prompt) + len(s.target) for s in self.segments)
        return texts + (positions if self.has_picture else 0)


@dataclass(frozen=True)
class Packed:
    """A batch of packed rows of length L.

    Attributes:
        tokens: Token ids (B, L), 0 where a prefix goes.
        places: Position ids (B, L).
        mask: Whether a query (row) may see a key (column): bool (B, 1, L, L).
        slots: Flat indexes into (B x L) of the prefixes, picture by picture in the order of the
            groups (pictures x P).
        sources: Flat indexes into (B x L) of the states that predict a learnt token (N).
        labels: The learnt tokens (N).
        weights: Weight of each learnt token (N).
    """

    tokens: Tensor
    places: Tensor
    mask: Tensor
    slots: Tensor
    sources: Tensor
    labels: Tensor
    weights: Tensor

    def to(self, device: torch.device) -> Packed:
        """The same batch on another device."""
        return Packed(*(getattr(self, part.name).to(device) for part in fields(self)))


def pack(groups: Sequence[Group], positions: int, capacities: Sequence[int] = CAPACITIES) -> Packed:
    """Lay out groups behind prefixes of `positions`, in rows of about one of `capacities` tokens.

    The one that gives the fewest tokens, padding included, is taken.
    """
    lengths = [group.length(positions) for group in groups]
    layouts = [_bins(lengths, capacity) for capacity in capacities]
    sizes = [len(rows) * _longest(rows, lengths) for rows in layouts]
    rows = layouts[sizes.index(min(sizes))]
    length = _longest(rows, lengths)
    sheet = _Sheet(len(rows), length, positions)
    for row, members in enumerate(rows):
        at = 0
        for index in members:
            sheet.put(row, at, groups[index], index)
            at += groups[index].length(positions)
    return sheet.packed()


class _Sheet:
    """Rows (B, L) that are being filled."""

    def __init__(self, rows: int, length: int, positions: int) -> None:
        self.length, self.positions = length, positions
        self.tokens = torch.zeros(rows, length, dtype=torch.long)
        self.places = torch.zeros(rows, length, dtype=torch.long)
        self.group_of = torch.full((rows, length), -1)
        self.text_of = torch.full((rows, length), -1)  # 0: the prefix
        self.slots: dict[int, range] = {}  # of each group with a picture
        self.sources: list[int] = []
        self.labels: list[int] = []
        self.weights: list[float] = []

    def put(self, row: int, at: int, group: Group, index: int) -> None:
        """Put group number `index` at a place in a row."""
        self.group_of[row, at : at + group.length(self.positions)] = index
        if group.has_picture:
            start = row * self.length + at
            self.slots[index] = range(start, start + self.positions)
            self.places[row, at : at + self.positions] = torch.arange(self.positions)
            self.text_of[row, at : at + self.positions] = 0
            at += self.positions
        for number, segment in enumerate(group.segments, 1):
            at = self._write(row, at, segment, number)

    def packed(self) -> Packed:
        """What was put, as tensors."""
        slots = [slot for index in sorted(self.slots) for slot in self.slots[index]]
        return Packed(
            self.tokens,
            self.places,
            _mask(self.group_of, self.text_of),
            torch.tensor(slots, dtype=torch.long),
            torch.tensor(self.sources, dtype=torch.long),
            torch.tensor(self.labels, dtype=torch.long),
            torch.tensor(self.weights),
        )

    def _write(self, row: int, at: int, segment: Segment, number: int) -> int:
        """Write text number `number` of a group; returns where it ends."""
        ids = [*segment.prompt, *segment.target]
        end = at + len(ids)
        self.tokens[row, at:end] = torch.tensor(ids)
        self.places[row, at:end] = self.positions + torch.arange(len(ids))
        self.text_of[row, at:end] = number
        first = row * self.length + at + len(segment.prompt) - 1
        self.sources.extend(range(first, first + len(segment.target)))
        self.labels.extend(segment.target)
        self.weights.extend([segment.weight] * len(segment.target))
        return end


def _bins(lengths: Sequence[int], capacity: int) -> list[list[int]]:
    """First-fit decreasing bin packing of items by length."""
    bins: list[list[int]] = []
    room: list[int] = []
    for index in sorted(range(len(lengths)), key=lambda i: -lengths[i]):
        place = next((b for b, free in enumerate(room) if free >= lengths[index]), None)
        if place is None:
            bins.append([])
            room.append(max(capacity, lengths[index]))
            place = len(bins) - 1
        bins[place].append(index)
        room[place] -= lengths[index]
    return bins


def _longest(rows: Sequence[Sequence[int]], lengths: Sequence[int]) -> int:
    return max(sum(lengths[index] for index in row) for row in rows)


def _mask(group_of: Tensor, text_of: Tensor) -> Tensor:
    """Groups and texts (B, L) → who sees whom (B, 1, L, L)."""
    length = group_of.shape[1]
    same_group = group_of[:, :, None] == group_of[:, None, :]
    same_text = text_of[:, :, None] == text_of[:, None, :]
    causal = torch.ones(length, length, dtype=torch.bool).tril()
    visible = same_group & (same_text | (text_of == 0)[:, None, :]) & causal
    return visible[:, None]
