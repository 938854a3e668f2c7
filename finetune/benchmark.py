"""How fast `glimpse train` learns, beside the loop that anybody would write first.

That is `transformers.Trainer` and peft, one text a row. It learns the same texts about the same
hidden states with the same mapper and LoRA, by the same loss; only how that is computed differs.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from finetune.config import Lora, Recipe
from finetune.image_features import CachedFeatures, FeatureSource, SampledFeatures
from finetune.lora import attach_lora, init_class_names
from finetune.packing import Segment, pack
from finetune.sampler import Visit
from finetune.trainer import Trainer
from model.adapter import load_base
from model.hub import silence_libraries
from model.vlm import PrefixVLM

STEPS = 3  # of `glimpse train` in one round
IGNORED = -100  # the label of what is not learnt
BATCH = 16
Text = tuple[Visit, Segment]


@dataclass(frozen=True)
class Throughput:
    """What was learnt, and how long it took.

    Attributes:
        texts: Captions and questions learnt.
        positions: Positions that the language model computed for them, padding included.
        seconds: How long that took.
    """

    texts: int
    positions: int
    seconds: float

    @property
    def speed(self) -> float:
        """Texts a second."""
        return self.texts / self.seconds


@dataclass(frozen=True)
class Round:
    """Both, one right after the other, on the same texts."""

    ours: Throughput
    plain: Throughput

    @property
    def times(self) -> float:
        """How many times as fast ours is."""
        return self.ours.speed / self.plain.speed


def compare(
    recipe: Recipe, root: Path, rounds: int, done: Callable[[int], None] = lambda done: None
) -> list[Round]:
    """Time `glimpse train` and the plain loop, in turns, from cached hidden states.

    Both compute in one process, and in bfloat16 where the recipe would. Only texts about pictures
    are learnt, by cross-entropy, by the mapper and LoRA at once.

    Args:
        recipe: What is learnt by what.
        root: The data folder.
        rounds: How often each has its turn.
        done: Called with the number of rounds that are done.

    Raises:
        RecipeError, DataError, ProfileError, WeightsError, TrainingError: One plain sentence each.
    """
    recipe = _simplified(recipe)
    few = SampledFeatures(recipe, root)
    with tempfile.TemporaryDirectory(prefix="glimpse-") as folder:
        trainer = Trainer(recipe, root, Path(folder), features=few)
        trainer.begin()
        if recipe.compiled:
            trainer.learner.compile()
        plain = BaselineModel(load_base(trainer.profile), recipe.lora)
        trainer.rehearse(0)
        found = []
        for number in range(rounds):
            steps = range(1 + number * STEPS, 1 + (number + 1) * STEPS)
            visits = [trainer.mixture.visits(step, recipe.schedule.pictures, 0) for step in steps]
            ours = _ours(trainer, steps, visits)
            found.append(Round(ours, _plain(plain, trainer, visits, Path(folder))))
            done(number + 1)
    return found


def median(rounds: Sequence[Round]) -> Round:
    """The round in the middle, by how many times as fast ours is."""
    middle = statistics.median_low(each.times for each in rounds)
    return next(each for each in rounds if each.times == middle)


def _simplified(recipe: Recipe) -> Recipe:
    """The recipe without what the plain loop has not: what remains is the same work for both."""
    schedule = replace(
        recipe.schedule, texts=0, implied=0, mapper_steps=0, critic_from=1.0, accumulate=1
    )
    objects = replace(recipe.objects, folders=())  # fitting a head takes longer than the comparison
    return replace(
        recipe, schedule=schedule, objects=objects, crops=False, tower_blocks=0, cross_fit=False,
        continues=False,
    )  # fmt: skip


def _ours(trainer: Trainer, steps: Sequence[int], visits: Sequence[Sequence[Visit]]) -> Throughput:
    start = time.monotonic()
    for step in steps:
        trainer.rehearse(step)
    seconds = time.monotonic() - start
    groups = [[visit.group for visit in each] for each in visits]
    positions = sum(pack(each, trainer.vlm.mapper.positions).tokens.numel() for each in groups)
    return Throughput(sum(len(g.segments) for each in groups for g in each), positions, seconds)


def _plain(
    model: BaselineModel, trainer: Trainer, visits: Sequence[Sequence[Visit]], folder: Path
) -> Throughput:
    assert trainer.store is not None
    texts = [(v, segment) for each in visits for v in each for segment in v.group.segments]
    positions, seconds = train_baseline(
        model, texts, CachedFeatures(trainer.store), folder, trainer.learner.bfloat16
    )
    return Throughput(len(texts), positions, seconds)


# --- the plain loop -----------------------------------------------------------------------------


class BaselineModel(nn.Module):
    """A mapper and a language model with peft's LoRA, as `transformers.Trainer` wants them.

    Args:
        vlm: The model with a fresh mapper; LoRA is put into its language model.
        lora: What LoRA looks like.

    Attributes:
        computed: Positions that the language model has computed, prefixes and padding included.
    """

    def __init__(self, vlm: PrefixVLM, lora: Lora) -> None:
        super().__init__()
        self.computed = 0
        self.vlm = vlm
        self.mapper, self.language = vlm.mapper, attach_lora(vlm, lora)
        init_class_names(vlm)

    def forward(
        self, hidden: Tensor, input_ids: Tensor, attention_mask: Tensor, labels: Tensor
    ) -> dict[str, Tensor]:
        """Hidden states (B, 1 + G², D) and padded texts (B, T) → the mean loss of learnt tokens."""
        prefix = self.mapper(hidden)  # (B, P, C)
        embeddings = torch.cat([prefix, self.vlm.embed(input_ids).to(prefix)], dim=1)
        ahead = prefix.shape[:2]
        self.computed += embeddings.shape[0] * embeddings.shape[1]
        output = self.language(
            inputs_embeds=embeddings,
            attention_mask=torch.cat([attention_mask.new_ones(ahead), attention_mask], dim=1),
            labels=torch.cat([labels.new_full(ahead, IGNORED), labels], dim=1),
        )
        return {"loss": output.loss}


def collate(vlm: PrefixVLM, features: FeatureSource, texts: Sequence[Text]) -> dict[str, Tensor]:
    """Texts → hidden states (B, 1 + G², D); padded token ids, mask and labels (B, T)."""
    ids = [torch.tensor(segment.prompt + segment.target) for _, segment in texts]
    labels = [
        torch.tensor((IGNORED,) * len(segment.prompt) + segment.target) for _, segment in texts
    ]
    return {
        "hidden": vlm.tower.complete(features([visit for visit, _ in texts]).float()),
        "input_ids": pad_sequence(ids, batch_first=True),
        "attention_mask": pad_sequence([torch.ones_like(row) for row in ids], batch_first=True),
        "labels": pad_sequence(labels, batch_first=True, padding_value=IGNORED),
    }


def train_baseline(
    model: BaselineModel,
    texts: Sequence[Text],
    features: FeatureSource,
    folder: Path,
    bfloat16: bool,
) -> tuple[int, float]:
    """Learn texts once with `transformers.Trainer`, after a first batch that warms up.

    Args:
        model: What learns.
        texts: What is learnt, all about pictures.
        features: Gives hidden states.
        folder: Nothing is left in it.
        bfloat16: Compute in bfloat16 by autocast.

    Returns:
        Positions that the language model computed, and the seconds that it took.
    """
    from transformers import PrinterCallback, Trainer, TrainerCallback, TrainingArguments

    ends: list[tuple[int, float]] = []

    class Clock(TrainerCallback):  # type: ignore[misc]
        """Notes where each step ends."""

        def on_step_end(self, *_: Any, **__: Any) -> None:
            ends.append((model.computed, time.monotonic()))

    arguments = TrainingArguments(
        output_dir=str(folder),
        per_device_train_batch_size=BATCH,
        num_train_epochs=1,
        learning_rate=2e-4,
        bf16=bfloat16,
        use_cpu=not torch.cuda.is_available(),
        remove_unused_columns=False,
        save_strategy="no",
        logging_strategy="no",
        report_to="none",
        disable_tqdm=True,
    )
    rows: Any = [*texts[:BATCH], *texts]
    trainer = Trainer(
        model, arguments, partial(collate, model.vlm, features), rows, callbacks=[Clock()]
    )
    trainer.remove_callback(PrinterCallback)  # stdout is the caller's
    with silence_libraries():
        trainer.train()
    (before, start), (after, end) = ends[0], ends[-1]
    return after - before, end - start
