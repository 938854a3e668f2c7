"""`glimpse eval`: how good a profile is on a dataset, with intervals and controls."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from bot.cli.context import Desk, busy, standard
from bot.cli.eval_talk import counting, show, tell_calibrated, tell_repeated
from bot.errors import CommandError

if TYPE_CHECKING:
    from finetune.evaluation.dataset import Dataset, Item
    from finetune.evaluation.report import Page

_file = click.Path(dir_okay=False, path_type=Path)
_folder = click.Path(file_okay=False, path_type=Path)


@click.command(
    "eval",
    epilog="Example: glimpse eval starter ~/coco/vqa.jsonl --split val2014 --report report.html",
    short_help="Measure a profile on a dataset.",
)
@click.argument("profile")
@click.argument("dataset", type=click.Path(path_type=Path))
@click.option("--images", type=_folder, help="Folder of the pictures. [default: images]")
@click.option("--split", metavar="NAME", help="Only rows of this split.")
@click.option("--limit", type=click.IntRange(1), help="Only the first captions and questions.")
@click.option("--report", type=_file, help="Write figures and pictures as one HTML page.")
@click.option("--json", "json_file", type=_file, help="Write all figures to this file.")
@click.option("--log", type=_file, help="A training run's log.jsonl, for a curve in the report.")
@click.option("--clip", metavar="FOLDER_OR_ID", help="A CLIP on this machine, for CLIPScore.")
@click.option(
    "--calibrate",
    is_flag=True,
    help="Then fit the adapter's confidence to this dataset, and keep that in its adapter.toml.",
)
@click.option("--seed", type=click.IntRange(0), default=0, help="Of the intervals. [default: 0]")
@standard
@click.pass_obj
def evaluate(
    desk: Desk,
    profile: str,
    dataset: Path,
    *,
    images: Path | None,
    split: str | None,
    limit: int | None,
    report: Path | None,
    json_file: Path | None,
    log: Path | None,
    clip: str | None,
    calibrate: bool,
    seed: int,
) -> None:
    """Ask PROFILE everything that DATASET asks, and compare with what people said.

    DATASET holds JSON lines: an image with captions, or with a question and its answer or answers.
    It is their file, or the folder that `glimpse data` made.
    """
    for path in filter(None, (report, json_file)):
        if not path.absolute().parent.is_dir():
            raise CommandError(f"There is no folder {path.absolute().parent} to write {path.name} in.")
    with busy("Starting"):
        from finetune.evaluation.dataset import read_dataset, rows_of
        from finetune.evaluation.report import read_losses, render
    losses = read_losses(log) if log else []
    dataset = rows_of(dataset)
    asked = read_dataset(dataset, images or dataset.parent / "images", split, limit)
    tell_repeated(asked)
    if calibrate:
        _check_calibrates(profile, asked)
    page = _measure(desk, profile, asked, clip, seed)
    page = replace(page, dataset=dataset.name, losses=losses)
    if json_file:
        facts = {"profile": profile, "dataset": str(dataset), "split": split, "limit": limit}
        figures = {**facts, "seed": seed, **asdict(page.figures)}
        json_file.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    if report:
        report.write_text(render(page), encoding="utf-8")
    show(page.figures)
    click.echo(page.about)
    if report:
        click.echo(f"The report is in {report}.")
    if calibrate:
        _calibrate(profile, page)


def _measure(desk: Desk, profile: str, asked: Dataset, clip: str | None, seed: int) -> Page:
    """Ask everything, and compute the figures."""
    from finetune.evaluation.report import Page
    from finetune.evaluation.runner import ask_dataset
    from finetune.evaluation.summary import figures_of

    if asked.captions and find_spec("pycocoevalcap") is None:
        raise CommandError("Captions are scored by pycocoevalcap; install Glimpse with its extra train.")
    clip_score = _clip_score(clip) if clip and asked.captions else None
    start = time.monotonic()
    with desk.engine(profile) as engine, counting("Asking") as count:
        replies = ask_dataset(cast(Any, engine), asked, count)
        name = engine.profile.name
    seconds = time.monotonic() - start
    with busy("Computing the figures"):
        figures, scored = figures_of(asked, replies, seed, clip_score)
    about = (
        f"{len(asked.captions)} captions and {len(asked.questions)} questions with their controls "
        f"in {seconds:.0f} s; 95 % intervals by the bootstrap over pictures, seed {seed}."
    )
    return Page(name, about, figures, scored)


def _check_calibrates(profile: str, asked: Dataset) -> None:
    """Refuse now what could not be done when everything has been asked."""
    with busy("Starting"):
        from finetune.evaluation.calibration import check_adapter, check_dataset
        from model.config import load_profile
    check_dataset(asked)
    check_adapter(load_profile(profile))


def _calibrate(profile: str, page: Page) -> None:
    """Fit the confidences to the scores that the page shows, and say what that changes."""
    from finetune.evaluation.calibration import recalibrate
    from model.config import load_profile

    chosen = load_profile(profile)
    with busy("Calibrating"):
        changes = recalibrate(chosen, page.replies)
    tell_calibrated(changes, chosen.adapter_folder)


def _clip_score(source: str) -> Callable[[Sequence[Item], Sequence[str]], list[float]]:
    with busy("Loading CLIP"):
        from finetune.evaluation.clip_score import ClipScore

        clip = ClipScore(source)
    return lambda items, captions: clip([item.image for item in items], captions)
