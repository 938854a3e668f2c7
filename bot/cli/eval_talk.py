"""What an evaluation says: a bar on stderr as it goes, and tables on stdout in the end."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from finetune.evaluation.calibration import Change
    from finetune.evaluation.captions import CaptionFigures
    from finetune.evaluation.dataset import Dataset
    from finetune.evaluation.summary import Accuracy, Figures, QuestionFigures

_EVERY = 10  # percent between plain lines


@contextmanager
def counting(title: str) -> Iterator[Callable[[int, int], None]]:
    """Yields what is called with how many are done, of how many."""
    if not sys.stderr.isatty():
        said = -1

        def say(done: int, total: int) -> None:
            nonlocal said
            percent = 100 * done // max(total, 1) // _EVERY * _EVERY
            if percent > said:
                said = percent
                print(f"{title}: {percent} %", file=sys.stderr, flush=True)

        yield say
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), refresh_per_second=4) as bar:
        task = bar.add_task(title, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def show(figures: Figures) -> None:
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


def tell_repeated(dataset: Dataset) -> None:
    """Warn of rows that ask again what another row asked."""
    if dataset.repeated:
        rows = f"{dataset.repeated:,} row{'s repeat' if dataset.repeated > 1 else ' repeats'}"
        sentence = (
            f"{rows} the question_id and picture of an earlier one; each question counts once."
        )
        print(f"Warning: {sentence}", file=sys.stderr)


def tell_calibrated(changes: Mapping[str, Change], folder: Path) -> None:
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
    from finetune.evaluation.intervals import written

    count, others = accuracy.count, (accuracy.shuffled, accuracy.blank, accuracy.majority)
    values = [written(each, count)[0] for each in (*others, accuracy.per_question)]
    return [name, str(count), *written(accuracy.model, count), *values]


def _show_captions(figures: CaptionFigures) -> None:
    from finetune.evaluation.captions import WORDS_NOTE
    from finetune.evaluation.intervals import written

    rows = [
        ["CIDEr-D", *written(figures.cider, figures.count)],
        ["… of shuffled pictures", *written(figures.shuffled_cider, figures.count)],
        ["BLEU-4", f"{figures.bleu4:.1f}", ""],
        ["ROUGE-L", *written(figures.rouge_l, figures.count)],
        ["different captions, %", f"{figures.distinct:.1f}", ""],
    ]
    if figures.clip_score:
        rows.append(["CLIPScore", *written(figures.clip_score, figures.count)])
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
