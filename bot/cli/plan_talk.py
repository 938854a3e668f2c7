"""What `glimpse train --dry-run` says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from finetune.plan import Plan


def plan_lines(plan: Plan) -> Iterator[str]:
    """A plan as lines of a table."""
    tower = f", tower {_millions(plan.tower)}" if plan.tower else ""
    yield (
        f"learnt      mapper {_millions(plan.mapper)}, LoRA {_millions(plan.lora)}{tower} "
        f"parameters; {_millions(plan.frozen)} stay frozen"
    )
    for source in plan.sources:
        yield (
            f"source      {source.name}: {source.pictures:,} pictures with {source.captions:,} "
            f"captions and {source.questions:,} questions, each seen {source.epochs:.1f} times"
        )
    for warning in plan.warnings:
        yield f"warning     {warning}"
    if plan.texts:
        derived = f"; {100 * plan.derived_texts:.0f} % of those drawn are derived" * bool(
            plan.derived_texts
        )
        yield f"source      {plan.texts:,} questions without a picture{derived}"
    short = plan.feature_bytes > plan.free_bytes
    room = f"; only {plan.free_bytes / 1e9:.2f} GB are free there" if short else ""
    yield (
        f"features    {plan.pictures:,} pictures: {plan.feature_bytes / 1e9:.2f} GB, encoded in "
        f"{duration(plan.encoding_seconds)} if they are not there yet{room}"
    )
    if plan.boxed:
        yield (
            f"objects     the head is fitted to {plan.boxed:,} pictures in "
            f"{duration(plan.boxed_seconds)}, before the first step"
        )
    each = f"{plan.step_seconds:.2f} s each" if plan.step_seconds else ""
    judged = f"{plan.critic_seconds:.2f} s where captions are judged" if plan.critic_seconds else ""
    yield f"steps       {plan.steps:,}; {', '.join(part for part in (each, judged) if part)}"
    yield (
        f"time        {duration(plan.seconds)} of training, as measured on {_device(plan)} just now"
    )
    yield f"memory      {plan.memory / 1e9:.1f} GB{' a process' if plan.processes > 1 else ''}"


def duration(seconds: float) -> str:
    """A time as one would say it."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


def _device(plan: Plan) -> str:
    processes = f"{plan.processes} processes on " if plan.processes > 1 else ""
    return f"{processes}this machine's {'CPU' if plan.device.startswith('cpu') else plan.device}"


def _millions(count: int) -> str:
    return f"{count / 1e6:.1f} M" if count >= 1e5 else f"{count:,}"
