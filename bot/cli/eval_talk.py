"""What an evaluation says: a bar on stderr as it goes, and tables on stdout in the end."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from finetune.evaluation.captions import CaptionFigures
    from finetune.evaluation.figures import Accuracy, Figures, QuestionFigures
    from finetune.evaluation.intervals import Estimate

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


def _show_questions(figures: QuestionFigures) -> None:
    """Accuracies, overall and by answer type."""
    named = {"all": figures.overall, **figures.answer_types}
    head = ("questions", "count", "accuracy", "95 %", "shuffled", "grey", "common", "best")
    _print_table("VQA accuracy", head, [_row(*pair) for pair in named.items()])
    print("shuffled, grey: with another picture, a grey one; common: the commonest answer;")
    print("best: the best answer for each question text, an upper bound for who sees nothing")


def _row(name: str, accuracy: Accuracy) -> list[str]:
    model, others = accuracy.model, (accuracy.shuffled, accuracy.blank, accuracy.majority)
    values = [_value(each) for each in (*others, accuracy.per_question)]
    return [name, str(accuracy.count), _value(model), _ends(model), *values]


def _show_captions(figures: CaptionFigures) -> None:
    rows = [
        ["CIDEr-D", _value(figures.cider), _ends(figures.cider)],
        ["… of shuffled pictures", _value(figures.shuffled_cider), _ends(figures.shuffled_cider)],
        ["BLEU-4", f"{figures.bleu4:.1f}", ""],
        ["ROUGE-L", _value(figures.rouge_l), _ends(figures.rouge_l)],
        ["different captions, %", f"{figures.distinct:.1f}", ""],
    ]
    if figures.clip_score:
        rows.append(["CLIPScore", _value(figures.clip_score), _ends(figures.clip_score)])
    _print_table(f"Captions of {figures.count} pictures", ("score", "value", "95 %"), rows)


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


def _value(estimate: Estimate | None) -> str:
    return f"{estimate.value:.1f}" if estimate else "–"  # noqa: RUF001


def _ends(estimate: Estimate | None) -> str:
    return f"{estimate.low:.1f}–{estimate.high:.1f}" if estimate else ""  # noqa: RUF001
