"""Where a run stands, and what it says of that."""

from __future__ import annotations

from dataclasses import dataclass, field

from finetune.config import Schedule


@dataclass
class Progress:
    """Where a run stands.

    Attributes:
        step: Optimiser steps done.
        seconds: Time spent, earlier sessions of a resumed run included.
        examples: Texts learnt, each as often as it was seen.
        losses: Mean loss of each step, in nats.
        vocabulary: What the mapper's word tags may name.
    """

    step: int = 0
    seconds: float = 0.0
    examples: int = 0
    losses: list[float] = field(default_factory=list)
    vocabulary: list[str] = field(default_factory=list)

    def share(self, schedule: Schedule) -> float:
        """How much of the run is done, 0..1, in steps or in time, whichever is further."""
        share = self.step / schedule.steps
        if schedule.minutes:
            share = max(share, self.seconds / 60 / schedule.minutes)
        return min(share, 1.0)


@dataclass(frozen=True)
class Said:
    """What the model says of a held-out picture.

    Attributes:
        question: What was asked, or None for a caption.
        answer: What the model wrote.
        wanted: What a person wrote.
    """

    question: str | None
    answer: str
    wanted: str

    def __str__(self) -> str:
        asked = "Caption" if self.question is None else self.question
        return f"{asked} → {self.answer!r} (a person: {self.wanted!r})"


@dataclass(frozen=True)
class StepReport:
    """What one logged step says.

    Attributes:
        step: Steps done.
        steps: Steps of the whole run.
        loss: Mean loss of the last steps, in nats.
        examples_per_second: Texts learnt in one second, over the whole run.
        seconds: Time spent.
        share: How much of the run is done, 0..1, in steps or in time, whichever is further.
        samples: What the model says of held-out pictures; only at checkpoints.
        reward: Mean CIDEr-D of captions that the model drew, while it learns from those; else 0.
    """

    step: int
    steps: int
    loss: float
    examples_per_second: float
    seconds: float
    share: float
    samples: tuple[Said, ...] = ()
    reward: float = 0.0
