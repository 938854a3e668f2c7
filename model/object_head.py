"""The object head: which objects are in a picture, where, and how many.

    hidden states (B, G², D) ──► project, spread over r x r cells ─┐
    detail states (B, G², r²E) ─► project ─────────────────────────┴► 3 x 3 ► cells (B, K, F, F)

Each of the F x F cells (F = rG) tells which of K classes it lies on, how far the edges of that
object are, and how near to the object's middle it is (FCOS, Tian et al. 2019, arXiv 1904.01355). Of
a whole picture, a class's logit is the log-sum-exp over its cells (multiple-instance learning,
Pinheiro and Collobert 2015, arXiv 1411.6228), plus a linear term on the mean state. Classes without
boxes (sky, grass) have the latter logit alone. `finetune.object_head` fits the head before
training.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from model.config import MapperConfig
from model.detections import COUNT_THRESHOLD

WIDTH, STATE_FEATURES, DETAIL_FEATURES = 160, 192, 64
MAX_BOXES = 48  # cells looked at for boxes in one picture
NMS_IOU = 0.55  # intersection over union from which two boxes of a class are one object
INITIAL_LOGIT = -6.0  # of a class in a cell


@dataclass(frozen=True)
class ObjectMaps:
    """What the head tells of B pictures, as logits.

    Attributes:
        cells: Whether a cell lies on an object of a class (B, K, F, F).
        edges: Distances of its left, top, right and bottom edge from the cell's middle, in shares
            of the picture (B, 4, F, F).
        middles: How near to the object's middle the cell is (B, F, F).
        picture: Whether the class is anywhere in the picture (B, K).
    """

    cells: Tensor
    edges: Tensor
    middles: Tensor
    picture: Tensor


@dataclass(frozen=True)
class Boxes:
    """The boxes found in B pictures, M of each, the surest first.

    Attributes:
        classes: Of each box (B, M).
        scores: 0..1, and 0 for a box that is another's double (B, M).
        corners: Left, top, right, bottom in shares of the picture, 0..1 (B, M, 4).
    """

    classes: Tensor
    scores: Tensor
    corners: Tensor


@dataclass(frozen=True)
class ObjectFacts:
    """What is known of each class in B pictures.

    Attributes:
        probabilities: Whether it is in the picture, 0..1 (B, K).
        counts: How many there are; 0 where that is unknown (B, K).
        corners: Left, top, right, bottom of the surest one in shares of the picture; all 0 where
            that is unknown (B, K, 4).
    """

    probabilities: Tensor
    counts: Tensor
    corners: Tensor

    @classmethod
    def concatenate(cls, parts: Sequence[ObjectFacts]) -> ObjectFacts:
        """The facts of all pictures of the parts, one part after the other."""
        return cls(
            torch.cat([part.probabilities for part in parts]),
            torch.cat([part.counts for part in parts]),
            torch.cat([part.corners for part in parts]),
        )

    def __getitem__(self, rows: Sequence[int]) -> ObjectFacts:
        """The facts of some pictures, in this order."""
        places = list(rows)
        return ObjectFacts(self.probabilities[places], self.counts[places], self.corners[places])


class ObjectHead(nn.Module):
    """Objects from frozen hidden states of a tower.

    Args:
        config: `object_classes` and `object_boxes` are used.
        hidden_size: Width D of a hidden state.
        grid: Patches along one side, G.
        detail_size: Width E of a state of the detail layer; 0 for none.
        detail_side: How many of those lie side by side in one patch, r.
    """

    def __init__(
        self,
        config: MapperConfig,
        hidden_size: int,
        grid: int,
        detail_size: int = 0,
        detail_side: int = 1,
    ) -> None:
        super().__init__()
        self.classes, self.boxed = config.object_classes, config.object_boxes
        self.grid, self.side = grid, detail_side
        self.states = nn.Linear(hidden_size, STATE_FEATURES)
        self.details = nn.Linear(detail_size, DETAIL_FEATURES) if detail_size else None
        joined = STATE_FEATURES + (DETAIL_FEATURES if detail_size else 0)
        self.around = nn.Conv2d(joined, WIDTH, 3, padding=1)
        self.mix = nn.Linear(WIDTH, WIDTH)
        self.cells = nn.Linear(WIDTH, self.classes)
        self.shape = nn.Linear(WIDTH, 5)
        self.whole = nn.Linear(hidden_size, self.classes)
        self.sharpness = nn.Parameter(torch.ones(self.classes))
        # Platt scaling of a picture's logits: what the head learnt from is a teacher's score.
        self.calibration = nn.Parameter(torch.tensor([1.0, 0.0]))
        nn.init.constant_(self.cells.bias, INITIAL_LOGIT)
        nn.init.zeros_(self.whole.weight)
        self.dropout = nn.Dropout2d(0.15)
        self.requires_grad_(False).eval()

    def train(self, mode: bool = True) -> ObjectHead:
        """Hide channels only while the head is fitted: a mapper that learns reads a frozen one."""
        super().train(mode and self.cells.weight.requires_grad)
        return self

    def forward(self, hidden: Tensor, detail: Tensor) -> ObjectMaps:
        """Hidden states (B, 1 + G², D) and detail states (B, 1 + G², r²E) → maps."""
        patches = F.relu(self.states(self._drop(hidden[:, 1:])))
        cells = patches.view(hidden.shape[0], self.grid, 1, self.grid, 1, -1)
        cells = cells.expand(-1, -1, self.side, -1, self.side, -1)
        size = self.grid * self.side
        joined = [cells.reshape(hidden.shape[0], size, size, -1)]  # (B, F, F, .)
        if self.details is not None:
            fine = detail[:, 1:].transpose(1, 2)
            fine = fine.reshape(hidden.shape[0], -1, self.grid, self.grid)
            fine = F.pixel_shuffle(fine, self.side).permute(0, 2, 3, 1)  # (B, F, F, E)
            joined.append(F.relu(self.details(fine)))
        states = torch.cat(joined, dim=-1).permute(0, 3, 1, 2)
        states = F.relu(self.around(states)).permute(0, 2, 3, 1)  # (B, F, F, W)
        states = states + F.relu(self.mix(self._drop(states)))
        found = self.cells(states).permute(0, 3, 1, 2).float()  # (B, K, F, F)
        shape = self.shape(states).permute(0, 3, 1, 2).float()
        anywhere = found.flatten(2).logsumexp(dim=-1) * self.sharpness
        mean = F.dropout(hidden[:, 0], 0.3, self.training)
        return ObjectMaps(
            found, F.softplus(shape[:, :4]) / 2, shape[:, 4], anywhere + self.whole(mean).float()
        )

    def _drop(self, states: Tensor) -> Tensor:
        """Hide whole channels of each picture while training: (B, …, C)."""
        if not self.training:
            return states
        kept: Tensor = self.dropout(states.new_ones(states.shape[0], states.shape[-1], 1, 1))
        return states * kept.view(states.shape[0], *([1] * (states.ndim - 2)), -1)

    def probabilities(self, maps: ObjectMaps) -> Tensor:
        """Calibrated probability that each class is in the picture: (B, K)."""
        slope, offset = self.calibration
        probabilities: Tensor = torch.sigmoid(maps.picture * slope + offset)
        return probabilities

    def facts(self, maps: ObjectMaps, boxes: Boxes | None = None) -> ObjectFacts:
        """What the maps tell of each class; `boxes` are those of `find_boxes`, if at hand."""
        boxes = boxes or find_boxes(maps, self.boxed)
        return ObjectFacts(
            self.probabilities(maps),
            count_boxes(boxes, self.classes),
            main_boxes(boxes, self.classes),
        )


def find_boxes(maps: ObjectMaps, boxed: int) -> Boxes:
    """The boxes of the first `boxed` classes: peaks of their maps, without doubles."""
    size = maps.cells.shape[-1]
    sure = maps.cells[:, :boxed].sigmoid() * maps.middles.sigmoid()[:, None]
    peaks = sure * (sure == F.max_pool2d(sure, 3, 1, 1))
    best, at = peaks.flatten(1).topk(min(MAX_BOXES, peaks[0].numel()))  # (B, M)
    classes, places = at // size**2, at % size**2
    middles = torch.stack([places % size, places // size], dim=-1).add(0.5) / size  # x, y
    edges = maps.edges.flatten(2).transpose(1, 2)  # (B, F², 4)
    edges = edges.gather(1, places[..., None].expand(-1, -1, 4))
    corners = torch.cat([middles - edges[..., :2], middles + edges[..., 2:]], dim=-1).clamp(0, 1)
    return Boxes(classes, _suppress_duplicates(best.sqrt(), classes, corners), corners)


def count_boxes(boxes: Boxes, classes: int) -> Tensor:
    """How many boxes of each class count: (B, classes)."""
    counted = (boxes.scores >= COUNT_THRESHOLD).float()
    counts = counted.new_zeros(counted.shape[0], classes)
    return counts.scatter_add(1, boxes.classes, counted)


def main_boxes(boxes: Boxes, classes: int) -> Tensor:
    """The corners of the surest box of each class (B, classes, 4); 0 where there is none."""
    batch, count = boxes.classes.shape
    places = torch.arange(count, device=boxes.classes.device).expand(batch, -1)
    places = places.masked_fill(boxes.scores == 0, count)  # doubles come after all others
    first = places.new_full((batch, classes), count)
    first = first.scatter_reduce(1, boxes.classes, places, "amin")  # the surest come first
    corners = F.pad(boxes.corners, (0, 0, 0, 1))  # where there is none
    return corners.gather(1, first[..., None].expand(-1, -1, 4))


def _suppress_duplicates(scores: Tensor, classes: Tensor, corners: Tensor) -> Tensor:
    """Scores (B, M), sorted, with those of doubles 0: greedy non-maximum suppression."""
    low = torch.maximum(corners[:, :, None, :2], corners[:, None, :, :2])
    high = torch.minimum(corners[:, :, None, 2:], corners[:, None, :, 2:])
    both = (high - low).clamp(min=0).prod(-1)  # (B, M, M)
    areas = (corners[..., 2:] - corners[..., :2]).clamp(min=0).prod(-1)
    union = areas[:, :, None] + areas[:, None] - both
    same = (classes[:, :, None] == classes[:, None]) & (both > NMS_IOU * union)
    same = same & torch.ones_like(same[0]).triu(1)  # the surer one is kept
    kept = scores > 0
    for first in range(scores.shape[1] - 1):
        kept = kept & ~(same[:, first] & kept[:, first : first + 1])
    return scores * kept
