"""What came of the variants that `finetune.ablate` compares, and tables of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """What came of a variant.

    Attributes:
        name: Of the variant.
        recipe: What it changes, its steps and its pictures in a step.
        caption_loss: Nats a token of people's captions.
        answer_loss: Nats an answer of people's.
        cider: Of greedy captions, 0..100.
        accuracy: Of greedy answers with the profile's guidance scales, 0..100.
        unguided: The same without guidance.
        mapper: Parameters that the mapper learns.
        lora: Parameters that LoRA learns.
        positions: Of a prefix.
        minutes: The run took.
        coco_loss: As `caption_loss`, of COCO's photos.
        coco_cider: As `cider`, of them.
        chair: Objects named that are not in them, of those named, 0..100 (CHAIR_i).
        presence: Mean of the accuracies on questions for yes and for no about what is there.
        alone: CIDEr of what is described by tags alone.
        coco_alone: The same of COCO's photos.
    """

    name: str
    recipe: str
    caption_loss: float
    answer_loss: float | None
    cider: float
    accuracy: float | None
    unguided: float | None
    mapper: int
    lora: int
    positions: int
    minutes: float
    coco_loss: float | None = None
    coco_cider: float | None = None
    chair: float | None = None
    presence: float | None = None
    alone: float | None = None
    coco_alone: float | None = None


def tables(findings: Sequence[Finding]) -> str:
    """The findings as Markdown tables: of variants that answer, and of those with object tags."""
    answering = [found for found in findings if found.answer_loss is not None]
    tagged = [found for found in findings if found.coco_cider is not None]
    return "\n\n".join(
        part for part in (table(answering) if answering else "", tag_table(tagged)) if part
    )


def tag_table(findings: Sequence[Finding]) -> str:
    """What shows whether tags help, as a Markdown table; "" of no findings."""
    if not findings:
        return ""
    lines = [
        "| variant | Flickr8k: token | CIDEr | by tags alone | COCO: token | CIDEr | by tags alone "
        "| not there, of objects named | presence |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for found in findings:
        cells = [
            f"{found.caption_loss:.3f}", f"{found.cider:.1f}", _cell(found.alone),
            _cell(found.coco_loss, 3), _cell(found.coco_cider), _cell(found.coco_alone),
            _cell(found.chair), _cell(found.presence),
        ]  # fmt: skip
        lines.append(f"| {found.name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def table(findings: Sequence[Finding]) -> str:
    """The findings as a Markdown table, with what changed from the first."""
    lines = [
        "| variant | positions | mapper, millions | LoRA, millions | caption token | answer | "
        "| CIDEr | accuracy | unguided |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for found in findings:
        first = findings[0]
        answer = (found.answer_loss or 0.0) - (first.answer_loss or 0.0)
        lines.append(
            f"| {found.name} | {found.positions} | {found.mapper / 1e6:.1f} | "
            f"{found.lora / 1e6:.1f} | {found.caption_loss:.3f} | {_cell(found.answer_loss, 3)} | "
            f"{found.caption_loss - first.caption_loss:+.3f}, {answer:+.3f} | "
            f"{found.cider:.1f} | {_cell(found.accuracy)} | {_cell(found.unguided)} |"
        )
    return "\n".join(lines)


def _cell(value: float | None, digits: int = 1) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
