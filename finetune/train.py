"""Two-stage training of a prefix adapter: the mapper alone, then the mapper with LoRA.

The stages follow LLaVA (arXiv 2310.03744); the loss is on learnt tokens only; weights of the last
part of the run are averaged (LAWA, arXiv 2209.14981).
"""

from __future__ import annotations

import json
import logging
import math
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from data.features import FeatureStore, build_store
from finetune.mixture import Mixture, Visit
from finetune.packing import pack
from finetune.recipe import Lora, Recipe
from finetune.team import Team
from model.adapter import load_base, save_adapter
from model.profile import Profile, load_profile
from model.vision import VisionTower
from model.vlm import PrefixVLM

log = logging.getLogger(__name__)
State = dict[str, Tensor]
AVERAGE_EVERY = 20
LOG_EVERY = 20


class TrainingError(RuntimeError):
    """Training that cannot go on; `str(error)` is one plain sentence."""


@dataclass
class Progress:
    """Where a run stands; everything that a checkpoint holds beside weights and optimiser."""

    step: int = 0
    seconds: float = 0.0
    averaged: int = 0
    examples: int = 0
    losses: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class StepReport:
    """What one logged step says."""

    step: int
    steps: int
    loss: float
    examples_per_second: float
    seconds: float
    share: float


class Trainer:
    """One training run.

    Args:
        recipe: What to train, on what, how.
        root: The data folder that the recipe's files are relative to.
        run: Folder of checkpoints, log and result.
        features: Folder of cached hidden states; made if missing.
        report: Called at every logged step.

    Raises:
        TrainingError, DataError, ProfileError, WeightsError: One plain sentence each.
    """

    def __init__(
        self,
        recipe: Recipe,
        root: Path,
        run: Path,
        features: Path | None = None,
        report: Callable[[StepReport], None] = lambda report: None,
        encoding: Callable[[int, int], None] = lambda done, total: None,
    ) -> None:
        torch.manual_seed(recipe.seed)
        self.team = Team.join()
        self.recipe, self.run, self.report = recipe, run, report
        self.profile: Profile = load_profile(recipe.profile)
        self.vlm = load_base(self.profile)
        self.mixture = Mixture(recipe, root, self.vlm.tokens, self.vlm.target)
        self.store = open_features(
            features or run / "features", root, self.mixture.images, self.vlm.tower,
            self.profile, recipe.views, encoding,
        )  # fmt: skip
        self.language = attach_lora(self.vlm, recipe.lora)
        # On CPUs the fused kernel's backward pass with a mask takes three times the plain one's.
        self.language.set_attn_implementation("eager")
        name_tags(self.vlm)
        self.progress = Progress()
        self.average: State = {}
        self.optimiser = self._optimiser()
        self._stop = False

    # -- the run ---------------------------------------------------------------------------

    def train(self, resume: bool = False) -> Path:
        """Run to the end, or until SIGINT or SIGTERM; returns the folder of the adapter.

        Raises:
            TrainingError: The loss is not a number, or there is nothing to resume.
        """
        self.run.mkdir(parents=True, exist_ok=True)
        if resume:
            self.load_checkpoint()
        steps = self.recipe.schedule.steps
        self.vlm.mapper.train()
        self.language.train()
        start, before = time.monotonic(), self.progress.seconds
        with self._signals():
            while self.progress.step < steps and not self._stop and self.share < 1:
                self._one_step()
                elapsed = before + time.monotonic() - start
                self.progress.seconds, stop = self.team.agree(elapsed, self._stop)
                self._stop = bool(stop)
                if self.progress.step % LOG_EVERY == 0:
                    self._log()
                if self.progress.step % self.recipe.schedule.checkpoint_steps == 0:
                    self.save_checkpoint()
        self.save_checkpoint()
        if self._stop:
            raise TrainingError(
                f"Stopped at step {self.progress.step}; go on with --resume."
            ) from None
        return self.save()

    @property
    def share(self) -> float:
        """How much of the run is done, 0..1, in steps or in time, whichever is further."""
        schedule = self.recipe.schedule
        share = self.progress.step / schedule.steps
        if schedule.minutes:
            share = max(share, self.progress.seconds / 60 / schedule.minutes)
        return min(share, 1.0)

    def _one_step(self) -> None:
        schedule, share = self.recipe.schedule, self.share
        texts = round(schedule.texts * max(0.2, 2.2 - 3 * share))
        visits = self.mixture.visits(self.progress.step, schedule.pictures, texts)
        self._set_rates(share)
        loss = self._backward(visits)
        if not math.isfinite(loss):
            raise TrainingError(
                f"The loss at step {self.progress.step} is not a number; "
                "lower the learning rates and --resume from the last checkpoint."
            )
        torch.nn.utils.clip_grad_norm_(self._learnt(), schedule.clip)
        self.optimiser.step()
        self.progress.step += 1
        self.progress.examples += sum(len(visit.group.segments) for visit in visits)
        self.progress.losses.append(loss)
        if self.share >= schedule.average_from and self.progress.step % AVERAGE_EVERY == 0:
            self._add_to_average()

    def _backward(self, visits: list[Visit]) -> float:
        """Gradients of the mean loss over all processes; returns that loss."""
        self.optimiser.zero_grad(set_to_none=True)
        lengths = [visit.group.length(self.vlm.mapper.positions) for visit in visits]
        total, weight = self.loss([visits[i] for i in self.team.share(lengths)])
        weights, losses = self.team.sum(torch.stack([weight, total.detach()]))
        (total / weights).backward()  # type: ignore[no-untyped-call]
        self.team.sum_gradients(self._learnt())
        return (losses / weights).item()

    def loss(self, visits: list[Visit]) -> tuple[Tensor, Tensor]:
        """Weighted sum of the cross-entropies of learnt tokens, in nats, and the sum of weights."""
        packed = pack([visit.group for visit in visits], self.vlm.mapper.positions)
        with torch.autocast("cpu", torch.bfloat16, enabled=fast_bfloat16()):
            embeddings = self.vlm.embed(packed.tokens).float()  # (B, L, C)
            if len(packed.slots):
                prefix = self._prefix(visits).flatten(0, 1)  # (pictures x P, C)
                flat = embeddings.flatten(0, 1).index_copy(0, packed.slots, prefix)
                embeddings = flat.view_as(embeddings)
            states = self.language.get_base_model().base_model(
                inputs_embeds=embeddings,
                attention_mask=torch.zeros(packed.mask.shape).masked_fill(~packed.mask, -1e9),
                position_ids=packed.places,
                use_cache=False,
            )[0]  # (B, L, C)
            learnt = states.flatten(0, 1)[packed.sources]  # (N, C)
            logits = self.language.get_output_embeddings()(learnt)  # (N, V)
        losses = F.cross_entropy(logits.float(), packed.labels, reduction="none")
        return (losses * packed.weights).sum(), packed.weights.sum()

    def _prefix(self, visits: list[Visit]) -> Tensor:
        """Prefixes (pictures, P, C) of the visits that have a picture."""
        rows, views = [], []
        for visit in visits:
            if visit.image is not None:
                row = self.store.rows[visit.image]
                choices = range(0, self.store.counts[row], 2 if visit.upright else 1)
                rows.append(row)
                views.append(choices[int(visit.view * len(choices))])
        states = torch.from_numpy(self.store.get(rows, views)).float()
        prefix: Tensor = self.vlm.mapper(self.vlm.tower.complete(states))
        return prefix.float()

    def _learnt(self) -> list[Tensor]:
        return [p for group in self.optimiser.param_groups for p in group["params"]]

    def _set_rates(self, share: float) -> None:
        schedule, step = self.recipe.schedule, self.progress.step
        cosine = 0.5 * (1 + math.cos(math.pi * share))
        for group in self.optimiser.param_groups:
            since = step - (schedule.mapper_steps if group["name"] == "lora" else 0)
            warm = min(1.0, max(0.0, (since + 1) / schedule.warmup_steps))
            group["lr"] = group["peak"] * warm * cosine

    def _optimiser(self) -> torch.optim.Optimizer:
        schedule = self.recipe.schedule
        mapper = [p for p in self.vlm.mapper.parameters() if p.requires_grad]
        lora = [p for p in self.language.parameters() if p.requires_grad]
        groups = [
            ("mapper", [p for p in mapper if p.ndim > 1], schedule.mapper_rate, True),
            ("mapper", [p for p in mapper if p.ndim < 2], schedule.mapper_rate, False),
            ("lora", lora, schedule.lora_rate, False),
        ]
        return torch.optim.AdamW(
            [
                {
                    "params": params, "name": name, "peak": rate, "lr": 0.0,
                    "weight_decay": schedule.weight_decay if decays else 0.0,
                }
                for name, params, rate, decays in groups
            ],
            betas=(0.9, 0.98),
        )  # fmt: skip

    # -- state -----------------------------------------------------------------------------

    def weights(self) -> State:
        """Everything that is learnt, by name."""
        return {
            **{f"mapper.{k}": v for k, v in self.vlm.mapper.state_dict().items()},
            **{f"lora.{k}": v for k, v in lora_state(self.language).items()},
        }

    def _add_to_average(self) -> None:
        self.progress.averaged += 1
        with torch.no_grad():
            for key, value in self.weights().items():
                mean = self.average.setdefault(key, torch.zeros_like(value))
                mean += (value - mean) / self.progress.averaged

    def save(self, folder: Path | None = None) -> Path:
        """Write the adapter (averaged, if there is an average) and return its folder."""
        folder = folder or self.run / "adapter"
        if not self.team.leads:
            return folder
        state = self.average or self.weights()
        mapper = {k.removeprefix("mapper."): v for k, v in state.items() if k.startswith("mapper.")}
        lora = {k.removeprefix("lora."): v for k, v in state.items() if k.startswith("lora.")}
        facts = {
            "training": {
                "recipe": self.recipe.name,
                "sources": [source.name for source in self.recipe.sources],
                "steps": self.progress.step,
                "examples": self.progress.examples,
                "minutes": round(self.progress.seconds / 60, 1),
                "averaged_snapshots": self.progress.averaged,
            }
        }
        save_adapter(folder, self.profile, mapper, self.language, facts, lora)
        return folder

    def save_checkpoint(self) -> None:
        """Write a checkpoint; the one before is replaced only when the new one is whole."""
        if not self.team.leads:
            return
        part = self.run / "checkpoint.pt.part"
        torch.save(
            {
                "recipe": asdict(self.recipe),
                "progress": asdict(self.progress),
                "weights": self.weights(),
                "average": self.average,
                "optimiser": self.optimiser.state_dict(),
                "random": torch.get_rng_state(),
            },
            part,
        )
        os.replace(part, self.run / "checkpoint.pt")

    def load_checkpoint(self) -> None:
        """Continue from the run's checkpoint.

        Raises:
            TrainingError: There is none, it is damaged, or it is of another recipe.
        """
        path = self.run / "checkpoint.pt"
        if not path.is_file():
            raise TrainingError(f"There is no checkpoint in {self.run} to resume from.")
        try:
            saved = torch.load(path, weights_only=True)
        except (RuntimeError, OSError, EOFError, ValueError) as error:
            raise TrainingError(f"The checkpoint in {self.run} is damaged.") from error
        if saved["recipe"] != asdict(self.recipe):
            raise TrainingError(f"The checkpoint in {self.run} is of another recipe.")
        self.progress = Progress(**saved["progress"])
        self.average = saved["average"]
        state = saved["weights"]
        self.vlm.mapper.load_state_dict(
            {k.removeprefix("mapper."): v for k, v in state.items() if k.startswith("mapper.")}
        )
        set_lora_state(
            self.language,
            {k.removeprefix("lora."): v for k, v in state.items() if k.startswith("lora.")},
        )
        self.optimiser.load_state_dict(saved["optimiser"])
        torch.set_rng_state(saved["random"])

    # -- talking ---------------------------------------------------------------------------

    def _log(self) -> None:
        if not self.team.leads:
            return
        recent = self.progress.losses[-LOG_EVERY:]
        rate = self.progress.examples / max(self.progress.seconds, 1e-9)
        report = StepReport(
            self.progress.step, self.recipe.schedule.steps, sum(recent) / len(recent), rate,
            self.progress.seconds, self.share,
        )  # fmt: skip
        with (self.run / "log.jsonl").open("a", encoding="utf-8") as lines:
            lines.write(json.dumps(asdict(report)) + "\n")
        self.report(report)

    @contextmanager
    def _signals(self) -> Iterator[None]:
        """Turn SIGINT and SIGTERM into a stop after the step at hand."""

        def stop(number: int, frame: FrameType | None) -> None:
            self._stop = True

        watched = (signal.SIGINT, signal.SIGTERM)
        before = {number: signal.signal(number, stop) for number in watched}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def attach_lora(vlm: PrefixVLM, lora: Lora) -> Any:
    """Put LoRA into the language model and return the peft model.

    Raises:
        TrainingError: The targets do not exist in this language model.
    """
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=list(lora.targets),
        task_type="CAUSAL_LM",
    )
    try:
        language = get_peft_model(vlm.language, config)
    except ValueError as error:
        raise TrainingError(
            f"The LoRA targets {', '.join(lora.targets)} do not exist in this language model."
        ) from error
    if fast_bfloat16():
        for parameter in language.parameters():
            if not parameter.requires_grad:
                parameter.data = parameter.data.to(torch.bfloat16)
    return language


def lora_state(language: Any) -> State:
    """LoRA's weights, in peft's names."""
    from peft import get_peft_model_state_dict

    state: State = get_peft_model_state_dict(language)
    return state


def set_lora_state(language: Any, state: State) -> None:
    """Put LoRA's weights back."""
    from peft import set_peft_model_state_dict

    set_peft_model_state_dict(language, state)


def name_tags(vlm: PrefixVLM) -> None:
    """Start each class tag at the mean token embedding of the class's name."""
    tags = vlm.mapper.tags
    if tags is None:
        return
    names = (Path(__file__).parent / "imagenet_classes.txt").read_text(encoding="utf-8").split("\n")
    with torch.no_grad():
        for row in range(tags.names.num_embeddings):
            ids = torch.tensor(vlm.tokens(" " + names[row]))
            tags.names.weight[row] = vlm.embed(ids).float().mean(dim=0)


def open_features(
    folder: Path,
    root: Path,
    images: list[str],
    tower: VisionTower,
    profile: Profile,
    views: int,
    progress: Callable[[int, int], None],
) -> FeatureStore:
    """Cached hidden states of the pictures, encoded now if they are not there yet."""

    @torch.inference_mode()
    def encode(pictures: Any) -> Any:
        with torch.autocast("cpu", torch.bfloat16, enabled=fast_bfloat16()):
            states = tower(tower.preprocess(pictures))
        return tower.compact(states).float().numpy().astype(np.float16)

    config = profile.tower
    fingerprint = f"{config.kind}/{config.source}/{config.image_size}/{config.layer}"
    return build_store(folder, root, images, encode, fingerprint, views, progress)


def fast_bfloat16() -> bool:
    """Whether this processor multiplies bfloat16 in hardware; else it is slower than float32."""
    return bool(torch.cpu._is_avx512_bf16_supported())
