"""The report of an evaluation: one HTML page that needs nothing else."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from data.records import DataError, Row, read_rows
from finetune.evaluation.asking import open_image
from finetune.evaluation.charts import curve_chart, reliability_chart
from finetune.evaluation.figures import Accuracy, Figures, QuestionFigures, Scored
from finetune.evaluation.intervals import Estimate
from finetune.evaluation.markup import Html, element, joined
from finetune.evaluation.page_style import STYLE

THUMBNAIL = 160  # pixels of its longest side
SHOWN = 24  # pictures in the grid
WORST = 12
WRONG = {True: 1 / 3, False: 0.0}  # the highest score of a mistake, for captions and for answers
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
        parts += _captions(figures)
    if charts := _charts(page):
        parts += [element("h2", "Calibration and training"), charts]
    wrong = _worst(page.replies)
    if wrong:
        about = "Wrong, and the surest of it: for captions, few words that people also used."
        parts += [element("h2", "Worst mistakes"), element("p", about), _pictures(wrong)]
    parts += [element("h2", "What it says"), _pictures(_sample(page.replies))]
    return parts


def _questions(figures: QuestionFigures) -> list[Html]:
    overall = {"all": figures.overall, **figures.answer_types}
    about = (
        "VQA accuracy in percent with its 95 % bootstrap interval, beside those who cannot see "
        "the picture: the model with another picture or with a grey one, the commonest answer, "
        "and the best answer for each question text (the last two know the right answers)."
    )
    return [
        element("h2", "Questions"),
        element("p", about),
        _table(_ACCURACY_HEAD, [_accuracy_row(*pair) for pair in overall.items()]),
        element("h2", "By question type"),
        _table(_ACCURACY_HEAD, [_accuracy_row(*pair) for pair in figures.question_types.items()]),
    ]


def _accuracy_row(name: str, accuracy: Accuracy) -> list[str]:
    cells = [accuracy.model, accuracy.shuffled, accuracy.blank, accuracy.majority]
    return [name, f"{accuracy.count:,}", *map(_estimate, [*cells, accuracy.per_question])]


def _captions(figures: Figures) -> list[Html]:
    captions = figures.captions
    if captions is None:
        return []
    rows: list[list[str]] = [["CIDEr-D", _estimate(captions.cider)]]
    if captions.shuffled_cider:
        rows.append(["CIDEr-D, shuffled pictures", _estimate(captions.shuffled_cider)])
    rows += [
        ["BLEU-4", f"{captions.bleu4:.1f}"],
        ["ROUGE-L", _estimate(captions.rouge_l)],
        ["different captions, %", f"{captions.distinct:.1f}"],
    ]
    if captions.clip_score:
        rows.append(["CLIPScore", _estimate(captions.clip_score)])
    about = f"One caption for each of {captions.count:,} pictures; scores times 100."
    return [
        element("h2", "Captions"),
        element("p", about),
        _table(("score", "value"), rows),
    ]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Html:
    titles = element("tr", *(element("th", text, scope="col") for text in head))
    lines = (element("tr", *(element("td", cell) for cell in row)) for row in rows)
    table = element("table", element("thead", titles), element("tbody", *lines))
    return element("div", table, class_="wide")


def _estimate(estimate: Estimate | None) -> Html:
    if estimate is None:
        return joined("–")  # noqa: RUF001
    ends = f"{estimate.low:.1f}–{estimate.high:.1f}"  # noqa: RUF001
    return joined(f"{estimate.value:.1f} ", element("span", ends, class_="interval"))


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


def _worst(replies: Sequence[Scored]) -> list[Scored]:
    """The surest mistakes."""
    wrong = [r for r in replies if r.score <= WRONG[r.item.question is None]]
    return sorted(wrong, key=lambda r: -r.reply.confidence)[:WORST]


def _sample(replies: Sequence[Scored]) -> list[Scored]:
    """Replies from all over the dataset."""
    count = min(SHOWN, len(replies))
    return [replies[i * len(replies) // count] for i in range(count)]


def _pictures(replies: Sequence[Scored]) -> Html:
    return element("div", *map(_picture, replies), class_="pictures")


def _picture(scored: Scored) -> Html:
    item, reply = scored.item, scored.reply
    caption = item.question is None
    kind = "right" if scored.score >= 0.5 else "partly" if scored.score > 0 else "wrong"
    golds = list(dict.fromkeys(item.golds))
    gold = golds[0] if caption else ", ".join(sorted(golds, key=item.golds.count, reverse=True))
    share = "words in common" if caption else "right"
    return element(
        "figure",
        element("img", src=_thumbnail(item.image), alt=item.image.name, title=item.image.name),
        element("div", item.question or "Caption", class_="question"),
        element("div", reply.text or "(nothing)", class_=f"answer {kind}"),
        element(
            "figcaption",
            element("div", f"people: {gold}"),
            f"{100 * reply.confidence:.0f} % sure, {100 * scored.score:.0f} % {share}",
        ),
    )


def _thumbnail(path: Path) -> str:
    """A data URL of a small JPEG."""
    image = open_image(path).image.copy()
    image.thumbnail((THUMBNAIL, THUMBNAIL), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    image.save(file, "JPEG", quality=80)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode("ascii")
