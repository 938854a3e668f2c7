"""Objects as words in the prompt, instead of prefix positions: for `finetune.ablate`.

    <prefix>2 dog left, frisbee.
    Caption: a dog …

The words say what the positions would, but for how sure they are: which objects are likely, how
many there are, and whether they are at the left or at the right. The positions hold just their
place then, as a hidden one does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from finetune.mixture import Visit
from finetune.objective import Objective
from finetune.packing import Segment
from model.objects import ObjectFacts
from model.prefix import MOST_COUNTED
from model.vlm import PrefixVLM

LIKELY = 0.3  # probability from which an object is told


def sentences(
    facts: ObjectFacts, names: Sequence[str], most: int, kept: Tensor | None = None
) -> list[str]:
    """The likely objects of B pictures in words, with the end of the line; "" where there are none.

    Args:
        facts: What is known of them.
        names: Of the classes.
        most: Objects told of one picture, the likeliest first.
        kept: Which of those are not dropped (B, most).
    """
    likeliest, found = facts.probabilities.topk(most)  # (B, most)
    told = likeliest >= LIKELY
    told = told if kept is None else told & kept.to(told.device)
    lines = []
    for row, (places, chosen) in enumerate(zip(found.tolist(), told.tolist(), strict=True)):
        objects = [
            _object(names[place], int(facts.counts[row, place]), facts.corners[row, place].tolist())
            for place, it in zip(places, chosen, strict=True)
            if it
        ]
        # No token reaches over the end of a line, so that prompts are the same in any batch.
        lines.append(f"{', '.join(objects)}.\n" if objects else "")
    return lines


def without_objects(vlm: PrefixVLM, prefix: Tensor) -> Tensor:
    """A prefix (B, P, C) whose object tags hold just their place, as hidden ones in training do."""
    count = vlm.mapper.config.objects
    hidden = vlm.mapper.places[-count:].expand(len(prefix), -1, -1)
    return torch.cat([prefix[:, :-count], hidden.to(prefix)], dim=1)


class HiddenObjects(Objective):
    """The loss of visits without object tags."""

    def prefix(self, visits: Sequence[Visit]) -> Tensor:
        """Prefixes (pictures, P, C), the positions of objects hidden."""
        return without_objects(self.learner.vlm, super().prefix(visits))


class SpokenObjects(HiddenObjects):
    """The loss of visits whose prompts begin with the objects in words."""

    def __call__(self, visits: Sequence[Visit]) -> Tensor:
        """Weighted sum of the cross-entropies of learnt tokens, in nats."""
        return super().__call__(self.spoken(visits))

    @torch.no_grad()
    def spoken(self, visits: Sequence[Visit]) -> list[Visit]:
        """The visits with objects in front of each prompt, some dropped as positions would be."""
        vlm, tags = self.learner.vlm, self.learner.vlm.mapper.objects
        assert tags is not None
        assert self.objects is not None
        seen = [visit for visit in visits if visit.image is not None]
        if not seen:
            return list(visits)
        facts = self.objects(seen, vlm.tower.complete(self.sight(seen).to(vlm.device).float()))
        kept = torch.stack([visit.kept(vlm.mapper.positions)[-tags.count :] for visit in seen])
        lines = iter(sentences(facts, vlm.object_names, tags.count, kept))
        return [
            visit if visit.image is None else self._after(next(lines), visit) for visit in visits
        ]

    def _after(self, line: str, visit: Visit) -> Visit:
        words = tuple(self.learner.vlm.tokens(line))
        segments = (
            Segment((*words, *text.prompt), text.target, text.weight)
            for text in visit.group.segments
        )
        return replace(visit, group=replace(visit.group, segments=tuple(segments)))


def _object(name: str, count: int, corners: Sequence[float]) -> str:
    """An object in words: "2 dog left"."""
    words = [str(min(count, MOST_COUNTED)), name] if count > 1 else [name]
    middle = (corners[0] + corners[2]) / 2
    if corners[2] > corners[0] and not 1 / 3 <= middle <= 2 / 3:
        words.append("left" if middle < 1 / 3 else "right")
    return " ".join(words)
