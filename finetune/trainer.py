"""Two-stage training of a prefix adapter: the mapper alone, then the mapper with LoRA.

The stages follow LLaVA (arXiv 2310.03744); the loss is on learnt tokens only; weights of the last
part of the run are averaged (LAWA, arXiv 2209.14981).
"""

from __future__ import annotations

import json
import logging
import math
import random
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, nullcontext
from dataclasses import asdict
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from torch import Tensor

from data.datasets.feature_cache import EncodingProgress as Encoding
from finetune.checkpoint import Checkpoint, export_adapter
from finetune.config import Recipe, Schedule
from finetune.distributed import ProcessGroup
from finetune.errors import TrainingError
from finetune.image_features import (
    Encoder,
    OpenFeatures,
    all_threads,
    open_feature_source,
    open_features,
)
from finetune.implied_tags import ImpliedTags
from finetune.lora import Learner, WeightAverage, computes_bfloat16
from finetune.loss import Objective
from finetune.object_head import FILE as OBJECTS
from finetune.object_head import (
    NO_HEAD,
    ObjectLabels,
    cross_fitted_tags,
    fit_objects,
    init_object_names,
    open_objects,
)
from finetune.progress import Progress, SampleImages, StepReport, TensorBoard
from finetune.sampler import Mixture, Visit, check_pictures, warnings_of
from finetune.scst import Critic
from finetune.word_tags import CrossFittedWords, WordExamples, fit_words
from model.adapter import adapter_state, load_base
from model.cache import Progress as Fetching
from model.cache import silent
from model.card import read_card
from model.config import load_profile

log = logging.getLogger(__name__)
AVERAGE_EVERY = 20
LOG_EVERY = 20
NO_OBJECTS = "objects in [mapper] need [objects] in the recipe, or an adapter to go on from."


class Trainer:
    """One training run.

    Args:
        recipe: What to train, on what, how.
        root: The data folder that the recipe's files are relative to.
        run: Folder of checkpoints, log and result.
        features: Folder of cached hidden states, made if missing; or what gives some.
        report: Called at every logged step and at every checkpoint, by the main process.
        encoding: Called after each batch of pictures that is encoded.
        fetching: Told what is fetched of the base's weights.

    Attributes:
        progress: Where the run stands.
        stopped_by: The signal that ended the run, if one did.
        warnings: What `glimpse data` found wrong with what the run learns from.

    Raises:
        RecipeError, DataError, ProfileError, WeightsError: One plain sentence each.
    """

    def __init__(  # noqa: PLR0917
        self,
        recipe: Recipe,
        root: Path,
        run: Path,
        features: Path | OpenFeatures | None = None,
        report: Callable[[StepReport], None] = lambda report: None,
        encoding: Encoding = lambda done, total, size: None,
        fetching: Fetching = silent,
    ) -> None:
        torch.manual_seed(recipe.seed)
        self.processes = ProcessGroup.join()
        self.recipe, self.root, self.run, self.report = recipe, root, run, report
        self.profile = load_profile(recipe.profile)
        self.vlm = load_base(self.profile, fetching)
        bfloat16 = computes_bfloat16(recipe, self.processes.device)
        self.mixture = Mixture(recipe, root, self.vlm.tokens, self.vlm.target)
        check_pictures(self.mixture.images, root)
        self.warnings = warnings_of(recipe, root)
        encoder = Encoder(self.vlm.tower, self.profile.tower, bfloat16)
        self._samples = SampleImages(recipe, root, encoder)
        device, blocks = self.processes.device, recipe.tower_blocks
        self.learner = Learner(self.vlm, recipe.lora, bfloat16, device, blocks)
        if features is None or isinstance(features, Path):
            features = partial(
                open_features, features or run / "features", root,
                views=recipe.views, processes=self.processes, progress=encoding,
            )  # fmt: skip
        mapper = self.vlm.mapper
        tagged = mapper.words is not None or mapper.objects is not None
        few = recipe.crops and not recipe.objects.folders
        images = self.mixture.described if few else self.mixture.images
        self.store = features(images, encoder) if tagged or not recipe.crops else None
        self.objective = Objective(
            self.learner, open_feature_source(recipe, root, encoder, self.store)
        )
        self.critic = Critic(self.objective, self.mixture.captions, recipe.schedule)
        self.optimizer = Optimizer(self.learner, recipe.schedule)
        self.average = WeightAverage()
        self.progress = Progress()
        self.checkpoint = Checkpoint(run, recipe, self.profile)
        self.stopped_by: int | None = None
        self._signal = 0  # heeded only between steps, when all processes know of it

    def train(self, resume: bool = False, seconds: float = math.inf) -> Path:
        """Run to the end, or until SIGINT or SIGTERM; returns the folder of the adapter.

        Args:
            resume: Go on from the last checkpoint.
            seconds: Stop after so many, fitting of heads included, as if by SIGTERM; at least one
                step is made. Unlike the schedule's `minutes`, it changes no learning rate.

        Raises:
            TrainingError: The run was stopped, the loss is not a number, the disk is full, or
                there is nothing to resume.
        """
        until = time.monotonic() + seconds
        state = (self.progress, self.learner, self.average, self.optimizer.adam)
        if resume:
            self.checkpoint.load(*state)
        self.begin(resume)
        if self.vlm.mapper.objects and not self.vlm.object_names:
            raise TrainingError(NO_OBJECTS)
        self.run.mkdir(parents=True, exist_ok=True)
        self.learner.train()
        if self.recipe.compiled:
            self.learner.compile()
        start = time.monotonic() - self.progress.seconds
        board = TensorBoard(self.run, self.progress.step) if self.processes.is_main else None
        with self._signals(), closing(board) if board else nullcontext():
            while not (self._done or self.stopped_by):
                self._step()
                if time.monotonic() >= until:
                    self._signal = self._signal or signal.SIGTERM
                spent, number = self.processes.agree(time.monotonic() - start, self._signal)
                self.progress.seconds, self.stopped_by = spent, number or None
                ends = self._done or self.stopped_by is not None
                saves = ends or self.progress.step % self.recipe.schedule.checkpoint_steps == 0
                if saves and self.processes.is_main:
                    self.checkpoint.save(*state)
                if self.processes.is_main and (saves or self.progress.step % LOG_EVERY == 0):
                    self._log_step(board, with_samples=saves)
        if not self._done:
            raise TrainingError(f"Stopped at step {self.progress.step}; go on with --resume.")
        if self.processes.is_main:
            export_adapter(
                self.run / "adapter", self.recipe, self.profile,
                learner=self.learner, progress=self.progress, average=self.average,
            )  # fmt: skip
        return self.run / "adapter"

    def rehearse(self, step: int) -> float:
        """Seconds that one step takes at this point of the run.

        It changes what is learnt, so that such a trainer should not go on to train.
        """
        self.learner.train()
        self.progress.step = step
        start = time.monotonic()
        self._step()
        return time.monotonic() - start

    def begin(self, resumed: bool = False) -> None:
        """Start at the adapter that the profile names, or at fresh weights, unless resumed."""
        seed, goes_on = self.recipe.seed, self.recipe.continues and not resumed
        fits = not resumed and (self.recipe.refit_words or not goes_on)
        if self.recipe.continues:
            card = read_card(self.profile.adapter_folder, self.profile)
            self.vlm.object_names = tuple(card.get("objects", {}).get("names", []))
            if goes_on:
                self._load_start(card)
        if fits or self.recipe.cross_fit:
            told, known = (self.mixture.captions, self.mixture.mentions), self.progress.vocabulary
            examples = WordExamples.of(self.vlm, self.store, *told)
            if fits and (examples or self.recipe.refit_words):
                self.progress.vocabulary = known = fit_words(self.vlm, examples, seed, known)
            if self.recipe.cross_fit:
                self.objective.words = CrossFittedWords(self.vlm, examples, known, seed)
        if self.recipe.objects.folders:
            self._fit_objects(resumed)
        if self.recipe.schedule.implied:
            self._fit_implied_tags()
        self.processes.broadcast(self._replicated())

    def _fit_objects(self, resumed: bool) -> None:
        """Fit the object head, or read what was fitted before."""
        labels = ObjectLabels.read(
            self.recipe.objects, self.root, self.mixture.images, self.profile.mapper.object_classes
        )
        path = self.run / OBJECTS
        if self.store is None or self.vlm.mapper.objects is None:
            raise TrainingError(NO_HEAD)
        if self.processes.is_main and not path.is_file():
            with all_threads(self.processes):
                fit_objects(self.vlm, self.store, labels, self.recipe, path)
        self.processes.barrier()
        if self.vlm.object_names != labels.names and not resumed:
            init_object_names(self.vlm, labels.names)
        self.vlm.object_names = labels.names
        self.objective.objects = open_objects(self.vlm, path, list(labels.seen))
        self.critic.objects = labels.seen

    def _fit_implied_tags(self) -> None:
        """Learn what tags the detectors give to pictures of which captions say this or that."""
        words, objects, store = self.objective.words, self.objective.objects, self.store
        if words is None or objects is None or store is None:
            raise TrainingError("implied texts need cross_fit, and an object head in [objects].")
        captions = self.mixture.captions
        images = [image for image in sorted(captions) if image in store.rows]
        logits, facts = cross_fitted_tags(self.vlm, store, images, words, objects)
        self.objective.implied = ImpliedTags(
            {image: captions[image] for image in images},
            logits,
            facts,
            self.progress.vocabulary,
            self.vlm.object_names,
        )

    def _replicated(self) -> list[torch.Tensor]:
        """What must be the same in every process, though each has made it by itself."""
        words = self.objective.words.tensors if self.objective.words else []
        learns = [*self.learner.lora_parameters, *self.learner.tower_parameters]
        return [*self.vlm.mapper.state_dict().values(), *learns, *words]

    def _load_start(self, card: dict[str, Any]) -> None:
        """Start at the adapter that the profile names, whose card this is."""
        state = adapter_state(self.profile)
        self.progress.vocabulary = list(card.get("words", {}).get("vocabulary", []))
        try:
            self.learner.load(state)
        except RuntimeError as error:
            raise TrainingError(
                f"The adapter in {self.profile.adapter_folder} is not what the recipe asks for; "
                "write the adapter's own tower_blocks, and rank and targets of [lora], there."
            ) from error

    @property
    def _share(self) -> float:
        return self.progress.share(self.recipe.schedule)

    @property
    def _done(self) -> bool:
        return self._share >= 1

    def _step(self) -> None:
        """Learn from one batch."""
        schedule, step, share = self.recipe.schedule, self.progress.step, self._share
        seed = f"{self.recipe.seed}:{step}:{self.processes.rank}"
        torch.manual_seed(random.Random(seed).getrandbits(63))  # of dropout
        texts = round(schedule.texts * max(0.2, 2.2 - 3 * share))
        visits = self.mixture.visits(step, schedule.pictures, texts)
        loss = self._backward(visits)
        norm = self.optimizer.update(step, share) if math.isfinite(loss) else loss
        if not math.isfinite(norm):
            raise TrainingError(self._diverged())
        self.progress.step += 1
        self.progress.examples += sum(len(visit.group.segments) for visit in visits)
        self.progress.losses.append(loss)
        if self._share >= schedule.average_from and self.progress.step % AVERAGE_EVERY == 0:
            self.average.add(self.learner.state())

    def _backward(self, visits: list[Visit]) -> float:
        """Gradients of the mean loss over all processes; returns that loss, in nats."""
        self.optimizer.forget_gradients()
        judges = self._share >= self.recipe.schedule.critic_from
        costs = [visit.group.length(self.vlm.mapper.positions) for visit in visits]
        if judges:
            costs = [c + self.critic.cost(v) for c, v in zip(costs, visits, strict=True)]
        mine = [visits[i] for i in self.processes.assign(costs)]
        mine = self.critic.judge(mine) if judges else mine
        weight = sum(visit.group.weight for visit in mine)
        weights, loss = self.processes.all_reduce(
            torch.tensor([weight, 0.0], device=self.processes.device)
        )
        weights = weights.clamp_min(1e-6)  # drawn captions that are all as good teach nothing
        parts = min(self.recipe.schedule.accumulate, len(mine))
        for start in range(parts):
            total = self.objective(mine[start::parts]) / weights
            total.backward()
            loss += total.detach()
        self.processes.all_reduce_gradients(self.optimizer.parameters)
        return float(self.processes.all_reduce(loss))

    def _diverged(self) -> str:
        kept = (
            f"; the last checkpoint is kept in {self.run}" if self.checkpoint.path.exists() else ""
        )
        return (
            f"The loss at step {self.progress.step} is not a number, so training ended{kept}; "
            "lower mapper_rate and lora_rate in the recipe and train anew."
        )

    def _log_step(self, board: TensorBoard | None, with_samples: bool) -> None:
        """Report where the run stands, and write it down."""
        said = self._samples.generate(self.learner, self.profile.decoding) if with_samples else ()
        recent = self.progress.losses[-LOG_EVERY:]
        report = StepReport(
            self.progress.step,
            self.recipe.schedule.steps,
            sum(recent) / len(recent),
            self.progress.examples / max(self.progress.seconds, 1e-9),
            self.progress.seconds,
            self._share,
            said,
            self.critic.reward,
        )
        with (self.run / "log.jsonl").open("a", encoding="utf-8") as lines:
            lines.write(json.dumps(asdict(report)) + "\n")
        if board:
            board.add(report, self.optimizer.rates)
        log.info("step %d of %d, loss %.3f", report.step, report.steps, report.loss)
        for sample in said:
            log.info("%s", sample)
        self.report(report)

    @contextmanager
    def _signals(self) -> Iterator[None]:
        """Turn SIGINT and SIGTERM into a stop after the step at hand."""

        def stop(number: int, frame: FrameType | None) -> None:
            self._signal = number

        watched = (signal.SIGINT, signal.SIGTERM)
        before = {number: signal.signal(number, stop) for number in watched}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


class Optimizer:
    """AdamW with rates for the mapper, LoRA and the tower, warmed up, then decayed by cosine.

    The stages follow LLaVA (Liu et al. 2023, arXiv 2310.03744): the mapper learns alone at first.

    Args:
        learner: What is learnt.
        schedule: How fast.

    Attributes:
        adam: PyTorch's optimizer.
    """

    def __init__(self, learner: Learner, schedule: Schedule) -> None:
        self.schedule = schedule
        mapper, lora = learner.mapper_parameters, learner.lora_parameters
        matrices = [p for p in mapper if p.ndim > 1]
        vectors = [p for p in mapper if p.ndim < 2]
        groups = [
            _group("mapper", matrices, schedule.mapper_rate, schedule.weight_decay),
            _group("mapper", vectors, schedule.mapper_rate, 0.0),
            _group("lora", lora, schedule.lora_rate, 0.0),
        ]
        if learner.tower_parameters:
            groups.append(_group("tower", learner.tower_parameters, schedule.tower_rate, 0.0))
        self.adam = torch.optim.AdamW(groups, betas=(0.9, 0.98))

    @property
    def parameters(self) -> list[Tensor]:
        """Everything that is learnt."""
        return [p for group in self.adam.param_groups for p in group["params"]]

    @property
    def rates(self) -> dict[str, float]:
        """The learning rates of the last step, by what learns."""
        return {group["name"]: group["lr"] for group in self.adam.param_groups}

    def forget_gradients(self) -> None:
        """Make room for new gradients."""
        self.adam.zero_grad(set_to_none=True)

    def update(self, step: int, share: float) -> float:
        """Take a step along the clipped gradients; returns their norm before that.

        Nothing changes when the norm is not finite.
        """
        norm = float(torch.nn.utils.clip_grad_norm_(self.parameters, self.schedule.clip))
        if math.isfinite(norm):
            self._set_rates(step, share)
            self.adam.step()
        return norm

    def _set_rates(self, step: int, share: float) -> None:
        last = self.schedule.last_rate
        decayed = last + (1 - last) * 0.5 * (1 + math.cos(math.pi * share))
        for group in self.adam.param_groups:
            since = step - (self.schedule.mapper_steps if group["name"] != "mapper" else 0)
            warm = min(1.0, max(0, since + 1) / max(1, self.schedule.warmup_steps))
            group["lr"] = group["peak"] * warm * decayed


def _group(name: str, parameters: list[Tensor], peak: float, decay: float) -> dict[str, object]:
    return {"params": parameters, "name": name, "peak": peak, "lr": 0.0, "weight_decay": decay}
