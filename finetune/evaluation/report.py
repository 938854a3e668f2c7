"""The report of an evaluation: one HTML page that needs nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from data.datasets.records import DataError, Row, read_rows
from finetune.evaluation import cards
from finetune.evaluation.captions import WORDS_NOTE, CaptionFigures
from finetune.evaluation.charts import curve_chart, reliability_chart
from finetune.evaluation.intervals import FEWEST, Estimate, written
from finetune.evaluation.markup import Html, element, joined
from finetune.evaluation.page_style import STYLE
from finetune.evaluation.summary import MOST_TYPES, Accuracy, Figures, QuestionFigures, Scored

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
Points = Sequence[tuple[float, float]]
_ACCURACY_HEAD = (
    "", "questions", "accuracy", "shuffled pictures", "grey picture", "commonest answer",
    "best per question",
)  # fmt: skip


@dataclass(frozen=True)
class Page:
    """What a report tells.

    Attributes:
        profile: The profile's name.
        about: One sentence on how it was measured.
        figures: Everything measured.
        replies: Every reply with its score.
        dataset: The dataset's file name.
        losses: Training step and loss, if they are known.
    """

    profile: str
    about: str
    figures: Figures
    replies: Sequence[Scored]
    dataset: str = ""
    losses: Points = field(default=())


def read_losses(path: Path) -> list[tuple[float, float]]:
    """Step and loss of each line of a training run's log.jsonl.

    Raises:
        DataError: The file is missing or no such log; one plain sentence.
    """
    points: dict[float, float] = {}  # a resumed run may tell a step twice: the last one counts
    for number, values in enumerate(read_rows(path), 1):
        row = Row(values, f"Line {number} of {path}")
        try:
            points[float(row.text("step"))] = float(row.text("loss"))
        except ValueError as error:
            raise DataError(f"{row.where} should hold a number under 'step' and 'loss'.") from error
    if not points:
        raise DataError(f"The log {path} is empty.")
    return sorted(points.items())


def render(page: Page) -> str:
    """The page as HTML; texts of the dataset and of the model are escaped."""
    title = f"{page.profile} on {page.dataset}"
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=POLICY),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("title", title),
        element("style", Html(STYLE)),
    )
    body = element("body", element("h1", title), element("p", page.about), *_sections(page))
    return "<!doctype html>\n" + element("html", head, body, lang="en") + "\n"


def _sections(page: Page) -> list[Html]:
    figures = page.figures
    parts: list[Html] = []
    if figures.questions:
        parts += _questions(figures.questions)
    if figures.captions:
        parts += _captions(figures.captions)
    if charts := _charts(page):
        parts += [element("h2", "Calibration and training"), charts]
    parts += _mistakes(page.replies)
    parts += [element("h2", "What it says"), cards.pictures(cards.sample(page.replies))]
    return parts


def _mistakes(replies: Sequence[Scored]) -> list[Html]:
    """Answers and captions apart: their confidences do not mean the same."""
    answers, captions = cards.worst_answers(replies), cards.worst_captions(replies)
    parts = [element("h2", "Worst mistakes")] if answers or captions else []
    if answers:
        about = "Answers that nobody gave, the surest first."
        parts += [element("p", about), cards.pictures(answers)]
    if captions:
        about = f"Captions with a CIDEr-D below {cards.POOR:.0f}, the surest first."
        parts += [element("p", about), cards.pictures(captions)]
    return parts


def _questions(figures: QuestionFigures) -> list[Html]:
    overall = [("all", figures.overall), *figures.answer_types.items()]
    types = [*figures.question_types.items()]
    shown = types[:MOST_TYPES]
    if figures.rare_types:
        shown.append((f"{len(types) - MOST_TYPES} other types", figures.rare_types))
    about = (
        "VQA accuracy in percent with its 95 % bootstrap interval, beside those who cannot see "
        "the picture: the model with another picture or with a grey one, the commonest answer, "
        "and the best answer for each question text (the last two know the right answers). "
        f"Fewer than {FEWEST} questions get no interval."
    )
    return [
        element("h2", "Questions"),
        element("p", about),
        _table(_ACCURACY_HEAD, [_accuracy_row(*pair) for pair in overall]),
        element("h2", "By question type"),
        _table(_ACCURACY_HEAD, [_accuracy_row(*pair) for pair in shown]),
    ]


def _accuracy_row(name: str, accuracy: Accuracy) -> list[str]:
    count, cells = accuracy.count, [accuracy.model, accuracy.shuffled, accuracy.blank]
    cells += [accuracy.majority, accuracy.per_question]
    return [name, f"{count:,}", *(_estimate(cell, count) for cell in cells)]


def _captions(captions: CaptionFigures) -> list[Html]:
    count = captions.count
    rows: list[list[str]] = [["CIDEr-D", _estimate(captions.cider, count)]]
    if captions.shuffled_cider:
        rows.append(["CIDEr-D, shuffled pictures", _estimate(captions.shuffled_cider, count)])
    rows += [
        ["BLEU-4", f"{captions.bleu4:.1f}"],
        ["ROUGE-L", _estimate(captions.rouge_l, count)],
        ["different captions, %", f"{captions.distinct:.1f}"],
    ]
    if captions.clip_score:
        rows.append(["CLIPScore", _estimate(captions.clip_score, count)])
    about = f"One caption for each of {count:,} pictures; scores times 100."
    return [
        element("h2", "Captions"),
        element("p", about),
        _table(("score", "value"), rows),
        element("p", WORDS_NOTE),
    ]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Html:
    titles = element("tr", *(element("th", text, scope="col") for text in head))
    lines = (element("tr", *(element("td", cell) for cell in row)) for row in rows)
    table = element("table", element("thead", titles), element("tbody", *lines))
    return element("div", table, class_="wide")


def _estimate(estimate: Estimate | None, count: int) -> Html:
    value, ends = written(estimate, count)
    if estimate is None:
        return joined(value)
    return joined(f"{value} ", element("span", ends, class_="interval"))


def _charts(page: Page) -> Html | None:
    figures, charts = page.figures, []
    answers = figures.questions and figures.questions.reliability
    named = [
        ("answers", "share right", answers),
        ("captions", "share of words that people used", figures.caption_reliability),
    ]
    for name, up, reliability in named:
        if reliability:
            chart = reliability_chart(f"Reliability of {name}", up, reliability)
            error = f"Reliability of {name}: calibration error {reliability.error:.3f}"
            charts.append(_figure(chart, error))
    if page.losses:
        chart = curve_chart("Training loss", "step", "loss", page.losses)
        charts.append(_figure(chart, f"Training loss, {page.losses[-1][1]:.3f} at the end"))
    return element("div", *charts, class_="charts") if charts else None


def _figure(chart: Html, caption: str) -> Html:
    return element("figure", chart, element("figcaption", caption))
