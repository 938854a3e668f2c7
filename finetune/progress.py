"""Where a run stands, what the model says of held-out pictures, and TensorBoard's curves."""

from __future__ import annotations

import logging
import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from data.datasets.records import PictureRecord, read_pictures
from data.datasets.transforms import load_view
from finetune.config import Recipe, Samples, Schedule
from finetune.image_features import Encoder
from finetune.lora import Learner
from model.config import DecodingConfig
from model.generation import greedy
from model.prompts import prompt_for

log = logging.getLogger(__name__)


@dataclass
class Progress:
    """Where a run stands.

    Attributes:
        step: Optimizer steps done.
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
class SampleOutput:
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
    samples: tuple[SampleOutput, ...] = ()
    reward: float = 0.0


class SampleImages:
    """Held-out pictures that the model describes, and is asked about, as it learns; encoded once.

    Args:
        recipe: Names the held-out pictures.
        root: The data folder.
        encoder: The tower.

    Raises:
        DataError: A file or a picture is missing or unreadable.
    """

    def __init__(self, recipe: Recipe, root: Path, encoder: Encoder) -> None:
        self._prompts: list[tuple[int, str | None, str]] = []  # picture, question, wanted answer
        states = []
        for samples in recipe.samples:
            for record in choose_samples(samples, root, recipe.seed):
                picture = load_view(record.image, record.image.name, view=0)
                states.append(torch.from_numpy(encoder([picture])).float())
                if record.captions:
                    self._prompts.append((len(states) - 1, None, record.captions[0]))
                if record.questions:
                    asked = record.questions[0]
                    self._prompts.append((len(states) - 1, asked.question, asked.answers[0][0]))
        self._states = encoder.tower.complete(torch.cat(states)) if states else torch.empty(0)

    def generate(self, learner: Learner, decoding: DecodingConfig) -> tuple[SampleOutput, ...]:
        """What the model says now, without dropout, greedily and without guidance."""
        if not self._prompts:
            return ()
        with learner.generating():
            prefix: Tensor = learner.vlm.mapper(self._states.to(learner.device))
            caches = learner.prefill(prefix)
            decoded = greedy(
                learner.vlm,
                [caches[picture] for picture, _, _ in self._prompts],
                [prompt_for(question) for _, question, _ in self._prompts],
                decoding.caption_tokens,
            )
        return tuple(
            SampleOutput(question, found.text, wanted)
            for (_, question, wanted), found in zip(self._prompts, decoded, strict=True)
        )


def choose_samples(samples: Samples, root: Path, seed: int) -> list[PictureRecord]:
    """The held-out pictures that a recipe of this seed describes as it learns.

    Raises:
        DataError: A file is missing, or a row is not what it should be.
    """
    where = {samples.split_key: samples.split} if samples.split_key else None
    files = [root / file for file in samples.files]
    records = read_pictures(files, root / samples.images, where, samples.prefix)
    return random.Random(seed).sample(records, min(samples.pictures, len(records)))


class TensorBoard:
    """Writes curves and samples to `RUN/tensorboard`, if tensorboardX is installed.

    TensorBoard itself, which is installed apart, shows them: `tensorboard --logdir RUN`.
    A resumed run goes on in the same folder: what an interrupted one wrote beyond its last
    checkpoint is hidden behind what is written now.

    Args:
        run: Folder of the run.
        step: Steps done so far.
    """

    def __init__(self, run: Path, step: int = 0) -> None:
        self._writer: Any = None
        try:
            from tensorboardX import SummaryWriter
        except ImportError:
            log.info("tensorboardX is not installed, so that nothing is written for TensorBoard")
            return
        self._writer = SummaryWriter(str(run / "tensorboard"), purge_step=step + 1 if step else 0)

    def add(self, report: StepReport, rates: dict[str, float]) -> None:
        """Add a point to each curve, and what the model said.

        Args:
            report: Where the run stands.
            rates: Learning rates by name.
        """
        if self._writer is None:
            return
        curves = {"loss": report.loss, "examples_per_second": report.examples_per_second}
        if report.reward:
            curves["reward"] = report.reward
        curves |= {f"learning_rate/{name}": rate for name, rate in rates.items()}
        for name, value in curves.items():
            self._writer.add_scalar(name, value, report.step)
        if report.samples:
            said = "\n".join(f"- {sample}" for sample in report.samples)
            self._writer.add_text("samples", said, report.step)
        self._writer.flush()

    def close(self) -> None:
        """Finish the file."""
        if self._writer is not None:
            self._writer.close()
