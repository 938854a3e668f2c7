"""How `finetune.research.ablate` measures variants: greedy texts about held-out photos.

Prefixes are read in the way that a variant learns: with object tags at their positions, with
objects as words in the prompt, or without them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from data.images.open import read_picture
from finetune.evaluation.dataset import Item
from finetune.evaluation.hallucination import hallucination
from finetune.evaluation.metrics import CaptionScorer
from finetune.evaluation.vqa_accuracy import mean_accuracy
from finetune.research.starter_figures import (
    coco_captions,
    flickr_captions,
    gvt_questions,
    objects_there,
    polar_scores,
    presence_questions,
    vqa_questions,
)
from finetune.research.variants import Variant, object_lines, without_objects
from model.config import DecodingConfig
from model.generation import greedy, score
from model.prompts import prompt_for
from model.vlm import PrefixVLM

BATCH = 16
Hidden = dict[Path, Tensor]
# Hidden states (B, 1 + G², …) → a prefix (B, P, C), and what each prompt begins with (B).
PrefixReader = Callable[[PrefixVLM, Tensor], tuple[Tensor, list[str]]]


@dataclass(frozen=True)
class HeldOut:
    """What a variant is measured on, each set spread over all that there is.

    Attributes:
        captions: Flickr8k's.
        coco: COCO's.
        questions: Of VQA.
        presence: Whether something is there.
        listed: The objects of some of COCO's photos, by name.
    """

    captions: Sequence[Item]
    coco: Sequence[Item] = ()
    questions: Sequence[Item] = ()
    presence: Sequence[Item] = ()
    listed: Mapping[str, frozenset[str]] = field(default_factory=dict)

    @classmethod
    def read(cls, root: Path, variant: Variant, tagged: bool, limit: int) -> HeldOut:
        """What a variant is measured on.

        Args:
            root: The data folder.
            variant: Learns questions, or captions only.
            tagged: Whether its model has object tags.
            limit: How much of each set.
        """
        asks = not variant.captions_only
        coco = [asked for asked in coco_captions(root) if asked.golds] if tagged else []
        presence = (
            [*presence_questions(root), *gvt_questions(root, "gvt_coco_mci")] if tagged else []
        )
        return cls(
            _spread(flickr_captions(root), limit),
            _spread(coco, limit),
            _spread(vqa_questions(root), limit) if asks else (),
            _spread(presence, limit) if asks else (),
            objects_there(root) if tagged else {},
        )


def read_positions(vlm: PrefixVLM, hidden: Tensor) -> tuple[Tensor, list[str]]:
    """Reads pictures as users' are read."""
    return vlm.mapper(hidden), [""] * len(hidden)


def read_tags_only(vlm: PrefixVLM, hidden: Tensor) -> tuple[Tensor, list[str]]:
    """Reads just the words and objects that are detected, as of texts without pictures."""
    states, _, detail = vlm.mapper.split(hidden)
    words, objects = vlm.mapper.words, vlm.mapper.objects
    assert words is not None
    assert objects is not None
    logits = words.detector(states[:, 0])
    prefix = vlm.mapper.tag_prefix(logits, objects.head.facts(objects.head(states, detail)))
    return prefix, [""] * len(hidden)


def read_without_objects(vlm: PrefixVLM, hidden: Tensor) -> tuple[Tensor, list[str]]:
    """Reads pictures whose object tags are hidden."""
    return without_objects(vlm, vlm.mapper(hidden)), [""] * len(hidden)


def read_object_words(vlm: PrefixVLM, hidden: Tensor) -> tuple[Tensor, list[str]]:
    """Reads pictures whose objects are words in the prompt."""
    states, _, detail = vlm.mapper.split(hidden)
    tags = vlm.mapper.objects
    assert tags is not None
    facts = tags.head.facts(tags.head(states, detail))
    prefix = without_objects(vlm, vlm.mapper(hidden, objects=facts))
    return prefix, object_lines(facts, vlm.object_names, tags.count)


READERS: dict[str, PrefixReader] = {
    "positions": read_positions,
    "words": read_object_words,
    "nothing": read_without_objects,
}


def measure(
    vlm: PrefixVLM, decoding: DecodingConfig, held_out: HeldOut, variant: Variant
) -> dict[str, Any]:
    """The figures of a finding, by name."""
    captions, coco, asked = held_out.captions, held_out.coco, held_out.questions
    hidden = _hidden(vlm, [*captions, *coco, *asked, *held_out.presence])
    reader = READERS[variant.objects]
    loss, (described,) = _replies(vlm, captions, hidden, decoding.caption_tokens, [None], reader)
    found: dict[str, Any] = {
        "caption_loss": _token_loss(vlm, captions, loss),
        "cider": _cider(described, captions),
        **dict.fromkeys(("answer_loss", "accuracy", "unguided")),
    }
    if asked:
        nats, (guided, unguided) = _replies(
            vlm, asked, hidden, decoding.answer_tokens, [decoding, None], reader
        )
        golds = [one.golds for one in asked]
        found |= {
            "answer_loss": sum(nats) / len(nats),
            "accuracy": mean_accuracy(guided, golds),
            "unguided": mean_accuracy(unguided, golds),
        }
    if coco:
        loss, (described,) = _replies(vlm, coco, hidden, decoding.caption_tokens, [None], reader)
        found |= {
            "coco_loss": _token_loss(vlm, coco, loss),
            "coco_cider": _cider(described, coco),
            "chair": _chair(described, coco, held_out.listed),
        }
    if held_out.presence:
        polar = held_out.presence
        _, (said,) = _replies(vlm, polar, hidden, decoding.answer_tokens, [None], reader)
        found["presence"] = polar_scores("presence", polar, said)["presence_balanced"]
    if variant.captions_only and coco:
        for name, part in (("alone", captions), ("coco_alone", coco)):
            _, (described,) = _replies(
                vlm, part, hidden, decoding.caption_tokens, [None], read_tags_only
            )
            found[name] = _cider(described, part)
    return found


def _token_loss(vlm: PrefixVLM, asked: Sequence[Item], losses: Sequence[float]) -> float:
    """Nats a token of the first gold text of each."""
    return sum(losses) / sum(len(vlm.target(one.gold)) for one in asked)


def _cider(captions: Sequence[str], asked: Sequence[Item]) -> float:
    scores = CaptionScorer(captions, [one.golds for one in asked]).cider()
    return sum(scores) / len(scores)


def _chair(
    captions: Sequence[str], asked: Sequence[Item], listed: Mapping[str, frozenset[str]]
) -> float | None:
    """Objects named that are not there, of those named in photos whose objects are listed."""
    pairs = [
        (text, listed[one.image.name])
        for text, one in zip(captions, asked, strict=True)
        if one.image.name in listed
    ]
    if not pairs:
        return None
    return hallucination([text for text, _ in pairs], [there for _, there in pairs]).of_mentions


def _hidden(vlm: PrefixVLM, asked: Sequence[Item]) -> Hidden:
    """Hidden states of each picture."""
    images = sorted({a.image for a in asked})
    found: Hidden = {}
    for start in range(0, len(images), BATCH):
        part = images[start : start + BATCH]
        states = vlm.tower(vlm.tower.preprocess([read_picture(path).image for path in part]))
        found.update(zip(part, states.float(), strict=True))
    return found


def _replies(  # noqa: PLR0917
    vlm: PrefixVLM,
    asked: Sequence[Item],
    hidden: Hidden,
    most: int,
    guidances: Sequence[DecodingConfig | None],
    reader: PrefixReader,
) -> tuple[list[float], list[list[str]]]:
    """Nats of the first gold text of each; and what is written greedily, with each guidance."""
    losses: list[float] = []
    written: list[list[str]] = [[] for _ in guidances]
    for start in range(0, len(asked), BATCH):
        part = asked[start : start + BATCH]
        prefix, ahead = reader(vlm, torch.stack([hidden[a.image] for a in part]))
        caches = vlm.prefill(prefix)
        prompts = [line + prompt_for(a.question) for line, a in zip(ahead, part, strict=True)]
        losses.extend(-nats for nats in score(vlm, caches, prompts, [a.gold for a in part]))
        for texts, guidance in zip(written, guidances, strict=True):
            scales = [guidance.scale_of(a.question or "") for a in part] if guidance else []
            texts.extend(found.text for found in greedy(vlm, caches, prompts, most, scales))
    return losses, written


def _spread(asked: Sequence[Item], limit: int) -> Sequence[Item]:
    return asked[:: max(1, len(asked) // limit)][:limit]
