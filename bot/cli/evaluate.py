"""`glimpse eval`: how good a profile is on a dataset, with intervals and controls."""

from __future__ import annotations

import json
import sys
import textwrap
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from bot.cli.context import AppContext, standard
from bot.cli.terminal import PercentLines, busy, progress, saying_when_stopped
from bot.errors import CommandError
from bot.settings import profile_names

if TYPE_CHECKING:
    from finetune.evaluation.calibration import Change
    from finetune.evaluation.dataset import Dataset, Item
    from finetune.evaluation.report import Page
    from finetune.evaluation.runner import Reply
    from finetune.evaluation.summary import Accuracy, CaptionFigures, Figures, QuestionFigures

_file = click.Path(dir_okay=False, path_type=Path)
_folder = click.Path(file_okay=False, path_type=Path)


FEW_NOTE = (
    "{count} of {of} questions have at most three answers: there an answer counts as right if one "
    "person gave it, where the official accuracy could not be 100 (one of three: 22.2)."
)


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
@click.option(
    "--vqa-results", type=_file, help="Write all answers as the server of VQA v2 takes them."
)
@click.option(
    "--caption-results", type=_file, help="Write all captions as the server of COCO takes them."
)
@click.option(
    "--device",
    metavar="NAME",
    default="cpu",
    help='Where the model computes: "cpu", in eight bits, or "cuda". [default: cpu]',
)
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
    app: AppContext,
    profile: str,
    dataset: Path,
    *,
    images: Path | None,
    split: str | None,
    limit: int | None,
    report: Path | None,
    json_file: Path | None,
    vqa_results: Path | None,
    caption_results: Path | None,
    device: str,
    log: Path | None,
    clip: str | None,
    calibrate: bool,
    seed: int,
) -> None:
    """Ask PROFILE everything that DATASET asks, and compare with what people said.

    DATASET holds JSON lines: an image with captions, or with a question and its answer or answers.
    It is their file, or the folder that `glimpse data` made. It may also be a JSON file of VQA v2's
    questions, or of COCO's captions or pictures: what has no answers is asked for --vqa-results and
    --caption-results alone.
    """
    for path in filter(None, (report, json_file, vqa_results, caption_results)):
        if not path.absolute().parent.is_dir():
            raise CommandError(
                f"There is no folder {path.absolute().parent} to write {path.name} in."
            )
    with busy("Starting"):
        from finetune.evaluation.dataset import read_dataset, rows_of
        from finetune.evaluation.report import read_losses, render
    losses = read_losses(log) if log else []
    dataset = rows_of(dataset)
    asked = read_dataset(dataset, images or dataset.parent / "images", split, limit)
    asked = _without_unwanted(asked, vqa_results, caption_results)
    _warn_of_repeated(asked)
    if calibrate:
        _check_calibrates(profile, asked)
    with saying_when_stopped("Stopped; nothing was written."):
        page, said = _measure(app, profile, asked, clip, seed, device)
    _write_results(said, vqa_results, caption_results)
    page = replace(page, dataset=dataset.name, losses=losses)
    if json_file:
        facts = {"profile": profile, "dataset": str(dataset), "split": split, "limit": limit}
        figures = {**facts, "seed": seed, "few_answers": asked.few, **asdict(page.figures)}
        json_file.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    if report:
        report.write_text(render(page), encoding="utf-8")
    _show_figures(page.figures)
    click.echo(page.about)
    if report:
        click.echo(f"The report is in {report}.")
    if calibrate:
        _calibrate(profile, page)


def _without_unwanted(
    asked: Dataset, vqa_results: Path | None, caption_results: Path | None
) -> Dataset:
    """The dataset without what is neither scored nor written; what is left out is said."""
    from finetune.evaluation.results import check_ids

    check_ids(asked, questions=vqa_results is not None, captions=caption_results is not None)
    kept = tuple(
        item for item in asked.unanswered if (vqa_results if item.question else caption_results)
    )
    if left_out := len(asked.unanswered) - len(kept):
        if not (asked.captions or asked.questions or kept):
            raise CommandError(
                "Nothing here has an answer or a caption to compare with; --vqa-results and "
                "--caption-results write what the model says."
            )
        rows = "row without an answer is" if left_out == 1 else "rows without an answer are"
        click.echo(f"Warning: {left_out:,} {rows} left out.", err=True)
    return replace(asked, unanswered=kept)


def _write_results(
    said: Sequence[tuple[Item, Reply]], vqa_results: Path | None, caption_results: Path | None
) -> None:
    """Write the files that evaluation servers take."""
    from finetune.evaluation.results import caption_results as of_captions
    from finetune.evaluation.results import vqa_results as of_questions

    for path, rows in ((vqa_results, of_questions), (caption_results, of_captions)):
        if path:
            path.write_text(json.dumps(rows(said)) + "\n", encoding="utf-8")


def _measure(  # noqa: PLR0917
    app: AppContext, profile: str, asked: Dataset, clip: str | None, seed: int, device: str
) -> tuple[Page, list[tuple[Item, Reply]]]:
    """Ask everything, and compute the figures; gives them with all that was said."""
    from finetune.evaluation.report import Page
    from finetune.evaluation.results import pairs
    from finetune.evaluation.runner import ask_dataset
    from finetune.evaluation.summary import figures_of

    if asked.captions and find_spec("pycocoevalcap") is None:
        raise CommandError(
            "Captions are scored by pycocoevalcap; install Glimpse with its extra train."
        )
    clip_score = _clip_score(clip) if clip and asked.captions else None
    start = time.monotonic()
    if len(profile_names(profile or app.settings.profile)) > 1:
        raise CommandError("Each profile is measured by itself; name one with --profile.")
    with app.engine(profile, device=device) as engine, progress(PercentLines) as show:
        on_answer = partial(show, "Asking")
        replies = ask_dataset(cast(Any, engine), asked, on_answer)
        name = engine.profile.name
    seconds = time.monotonic() - start
    with busy("Computing the figures"):
        figures, scored = figures_of(asked, replies, seed, clip_score)
    about = (
        f"{len(asked.captions)} captions and {len(asked.questions)} questions with their controls "
        f"in {seconds:.0f} s; 95 % intervals by the bootstrap over pictures, seed {seed}."
    )
    if asked.unanswered:
        about += f" {len(asked.unanswered)} more were asked that nothing is known of."
    if asked.few:
        about += " " + FEW_NOTE.format(count=asked.few, of=len(asked.questions))
    return Page(name, about, figures, scored), pairs(asked, replies)


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
    _show_changes(changes, chosen.adapter_folder)


def _clip_score(source: str) -> Callable[[Sequence[Item], Sequence[str]], list[float]]:
    with busy("Loading CLIP"):
        from finetune.evaluation.metrics import ClipScore
        from finetune.evaluation.runner import open_image

        clip = ClipScore(source)
    return lambda items, captions: clip((open_image(it.image).image for it in items), captions)


# --- what is printed ---------------------------------------------------------------------------


def _show_figures(figures: Figures) -> None:
    """Print the figures as tables."""
    if figures.questions:
        _show_questions(figures.questions)
    if figures.captions:
        _show_captions(figures.captions)
    named = {
        "answers": figures.questions and figures.questions.reliability,
        "captions": figures.caption_reliability,
    }
    for name, reliability in named.items():
        if reliability:
            print(f"calibration error of {name}: {reliability.error:.3f}")


def _warn_of_repeated(dataset: Dataset) -> None:
    """Warn of rows that ask again what another row asked."""
    if dataset.repeated:
        rows = f"{dataset.repeated:,} row{'s repeat' if dataset.repeated > 1 else ' repeats'}"
        sentence = (
            f"{rows} the question_id and picture of an earlier one; each question counts once."
        )
        print(f"Warning: {sentence}", file=sys.stderr)


def _show_changes(changes: Mapping[str, Change], folder: Path) -> None:
    """Say in one line what a new calibration changes, and where it is."""
    said = (
        f"{change.count:,} {kind}s, calibration error {change.before:.3f} before and "
        f"{change.after:.3f} now"
        for kind, change in changes.items()
    )
    print(f"Calibrated on {'; '.join(said)} (two-fold cross-validated), in {folder}.")


def _show_questions(figures: QuestionFigures) -> None:
    """Accuracies, overall and by answer type."""
    named = [("all", figures.overall), *figures.answer_types.items()]
    head = ("questions", "count", "accuracy", "95 %", "shuffled", "grey", "common", "best")
    _print_table("VQA accuracy", head, [_row(*pair) for pair in named])
    print("shuffled, grey: with another picture, a grey one; common: the commonest answer;")
    print("best: the best answer for each question text, an upper bound for who sees nothing")


def _row(name: str, accuracy: Accuracy) -> list[str]:
    from finetune.evaluation.metrics import format_estimate

    count, others = accuracy.count, (accuracy.shuffled, accuracy.blank, accuracy.majority)
    values = [format_estimate(each, count)[0] for each in (*others, accuracy.per_question)]
    return [name, str(count), *format_estimate(accuracy.model, count), *values]


def _show_captions(figures: CaptionFigures) -> None:
    from finetune.evaluation.metrics import WORDS_NOTE, format_estimate

    rows = [
        ["CIDEr-D", *format_estimate(figures.cider, figures.count)],
        ["… of shuffled pictures", *format_estimate(figures.shuffled_cider, figures.count)],
        ["BLEU-4", f"{figures.bleu4:.1f}", ""],
        ["ROUGE-L", *format_estimate(figures.rouge_l, figures.count)],
        ["different captions, %", f"{figures.distinct:.1f}", ""],
    ]
    if figures.clip_score:
        rows.append(["CLIPScore", *format_estimate(figures.clip_score, figures.count)])
    _print_table(f"Captions of {figures.count} pictures", ("score", "value", "95 %"), rows)
    print(textwrap.fill(WORDS_NOTE, 80))


def _print_table(title: str, head: tuple[str, ...], rows: list[list[str]]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for number, name in enumerate(head):
        table.add_column(name, justify="right" if number else "left")
    for row in rows:
        table.add_row(*map(Text, row))  # Text: names come from the dataset, markup and all
    Console(highlight=False).print(table)
