"""Small trainings that prove that training works, asked the way users ask: by `glimpse batch`."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from data.datasets.records import DataError
from finetune.config import Lora, Recipe, Schedule, Source
from finetune.errors import TrainingError
from finetune.evaluation import metrics
from finetune.progress import StepReport
from finetune.research.starter_figures import Asked, ask
from finetune.trainer import Trainer
from model.config import load_profile, save_profile
from model.errors import AdapterError, ProfileError, WeightsError
from model.progress import step

TARGETS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
TEXTS = 12  # learnt each time a picture is seen, if there are so many


def learn(  # noqa: PLR0917
    root: Path,
    run: Path,
    asked: Sequence[Asked],
    schedule: Schedule,
    base: str = "starter",
    compiled: bool = False,
) -> str:
    """Train a fresh adapter on questions.

    Args:
        root: The data folder.
        run: Folder of the run; the questions, the profile and the adapter are written into it. A
            run that was stopped goes on.
        asked: What to learn, about pictures below `root`.
        schedule: How long and how fast.
        base: The profile whose base weights are used.
        compiled: As in `Recipe`.

    Returns:
        The path of a profile that answers with the new adapter.
    """
    run.mkdir(parents=True, exist_ok=True)
    questions = (run / "questions.jsonl").resolve()
    _write_rows(questions, root, asked)
    recipe = Recipe(
        name=run.name,
        profile=_write_profile(run, base),
        schedule=schedule,
        sources=(Source("trial", (str(questions),), ".", questions=TEXTS),),
        lora=Lora(16, 32, 0.0, TARGETS),
        text_tokens=160,
        compiled=compiled,
    )
    with step(f"Encoding {len({a.image for a in asked})} pictures") as update:
        trainer = Trainer(
            recipe, root, run, report=say, encoding=lambda done, total, _: update(done / total)
        )
    trainer.train(resume=trainer.checkpoint.path.exists())
    return recipe.profile


def accuracy(asked: Sequence[Asked], profile: str) -> float:
    """Share of questions that `glimpse batch` answers as wanted, 0..100."""
    return metrics.accuracy(ask(asked, profile).texts, [a.golds[0] for a in asked])


def with_other_pictures(asked: Sequence[Asked]) -> list[Asked]:
    """The same questions about pictures that they were not asked of."""
    other = metrics.derange([str(a.image) for a in asked])
    return [replace(a, image=Path(other[str(a.image)])) for a in asked]


def plainly(main: Callable[[], int]) -> int:
    """Run a script; what goes wrong becomes one sentence on stderr and status 1."""
    try:
        return main()
    except (AdapterError, DataError, ProfileError, TrainingError, WeightsError) as error:
        print(error, file=sys.stderr)
        return 1


def _write_profile(run: Path, base: str) -> str:
    """The base's profile with the adapter that the run will write."""
    profile = load_profile(base)
    mapper = replace(profile.mapper, words=0, objects=0)  # nothing here to learn either from
    path = (run / "profile.toml").resolve()
    save_profile(replace(profile, name=run.name, adapter="adapter", mapper=mapper), path)
    return str(path)


def _write_rows(path: Path, root: Path, asked: Sequence[Asked]) -> None:
    rows = (
        {"image": a.image.relative_to(root).as_posix(), "question": a.question, "answers": a.golds}
        for a in asked
    )
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def say(report: StepReport) -> None:
    """Tell on stderr where a run stands."""
    print(
        f"step {report.step} of {report.steps}, loss {report.loss:.3f}, "
        f"{report.seconds / 60:.1f} min",
        file=sys.stderr,
        flush=True,
    )
