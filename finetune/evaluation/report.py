"""The report of an evaluation: one HTML page that needs nothing else."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from PIL import Image

from data.datasets.records import Row, read_rows
from data.errors import DataError
from finetune.evaluation.metrics import FEWEST, WORDS_NOTE, Estimate, format_estimate
from finetune.evaluation.runner import open_image
from finetune.evaluation.summary import (
    MOST_TYPES,
    Accuracy,
    CaptionFigures,
    Figures,
    QuestionFigures,
    Reliability,
    Scored,
)

THUMBNAIL = 160  # pixels of its longest side
SAMPLED = 24  # replies from all over the dataset
WORST = 12  # answers, and as many captions
POOR = 10.0  # CIDEr-D of a caption that shares next to nothing with what people said
WIDTH, HEIGHT = 360, 260  # of a chart, in its own units
LEFT, RIGHT, TOP, BOTTOM = 46, 22, 12, 40  # room around the plot
TICKS = 4
MOST_POINTS = 400  # of a curve: more would not be seen
ACCURACY_HEAD = (
    "", "questions", "accuracy", "shuffled pictures", "grey picture", "commonest answer",
    "best per question",
)  # fmt: skip
Points = Sequence[tuple[float, float]]
Cell = tuple[str, str]  # a value, and its interval or nothing


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
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    figures, replies = page.figures, page.replies
    questions, captions = figures.questions, figures.captions
    answers = [r for r in replies if r.item.question is not None and r.score == 0]
    poor = [r for r in replies if r.cider is not None and r.cider < POOR]
    count = min(SAMPLED, len(replies))
    html = environment.get_template("report.html.jinja").render(
        title=f"{page.profile} on {page.dataset}",
        about=page.about,
        fewest=FEWEST,
        accuracy_head=ACCURACY_HEAD,
        overall=_overall(questions) if questions else [],
        question_types=_question_types(questions) if questions else [],
        captions=list(_caption_rows(captions)) if captions else [],
        caption_count=f"{captions.count:,}" if captions else "",
        words_note=WORDS_NOTE,
        charts=list(_charts(page)),
        worst_answers=_cards(_surest(answers)),
        worst_captions=_cards(_surest(poor)),
        poor=f"{POOR:.0f}",
        sample=_cards([replies[i * len(replies) // count] for i in range(count)]),
    )
    return html.lstrip()  # the macros before the page leave blank lines


# --- tables -------------------------------------------------------------------------------------


def _overall(figures: QuestionFigures) -> list[tuple[str | Cell, ...]]:
    named = [("all", figures.overall), *figures.answer_types.items()]
    return [_accuracy_row(*pair) for pair in named]


def _question_types(figures: QuestionFigures) -> list[tuple[str | Cell, ...]]:
    types = [*figures.question_types.items()]
    shown = types[:MOST_TYPES]
    if figures.rare_types:
        shown.append((f"{len(types) - MOST_TYPES} other types", figures.rare_types))
    return [_accuracy_row(*pair) for pair in shown]


def _accuracy_row(name: str, accuracy: Accuracy) -> tuple[str | Cell, ...]:
    cells = [accuracy.model, accuracy.shuffled, accuracy.blank]
    cells += [accuracy.majority, accuracy.per_question]
    count = accuracy.count
    return (name, (f"{count:,}", ""), *(_cell(each, count) for each in cells))


def _caption_rows(captions: CaptionFigures) -> Iterator[tuple[str, Cell]]:
    count = captions.count
    yield "CIDEr-D", _cell(captions.cider, count)
    if captions.shuffled_cider:
        yield "CIDEr-D, shuffled pictures", _cell(captions.shuffled_cider, count)
    yield "BLEU-4", (f"{captions.bleu4:.1f}", "")
    yield "ROUGE-L", _cell(captions.rouge_l, count)
    yield "different captions, %", (f"{captions.distinct:.1f}", "")
    if captions.clip_score:
        yield "CLIPScore", _cell(captions.clip_score, count)


def _cell(estimate: Estimate | None, count: int) -> Cell:
    value, interval = format_estimate(estimate, count)
    return value, interval if estimate else ""


# --- pictures -----------------------------------------------------------------------------------


def _surest(replies: Sequence[Scored]) -> list[Scored]:
    return sorted(replies, key=lambda r: -r.reply.confidence)[:WORST]


def _cards(replies: Sequence[Scored]) -> list[dict[str, str]]:
    """Pictures, each with the question, the reply, and how good that is."""
    return [_card(scored) for scored in replies]


def _card(scored: Scored) -> dict[str, str]:
    item, reply = scored.item, scored.reply
    golds = list(dict.fromkeys(item.golds))
    if item.question is None:
        people = golds[0]
        kind = "answer"  # no colour: there is no line between right and wrong captions
        good = "" if scored.cider is None else f", CIDEr-D {scored.cider:.0f}"
    else:
        people = ", ".join(sorted(golds, key=item.golds.count, reverse=True))
        right = "right" if scored.score >= 0.5 else "partly" if scored.score > 0 else "wrong"
        kind, good = f"answer {right}", f", {100 * scored.score:.0f} % right"
    return {
        "image": _thumbnail(item.image),
        "name": item.image.name,
        "question": item.question or "Caption",
        "kind": kind,
        "answer": reply.text or "(nothing)",
        "people": people,
        "sure": f"{100 * reply.confidence:.0f} % sure{good}",
    }


def _thumbnail(path: Path) -> str:
    """A data URL of a small JPEG."""
    image = open_image(path).image.copy()
    image.thumbnail((THUMBNAIL, THUMBNAIL), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    image.save(file, "JPEG", quality=80)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode("ascii")


# --- charts -------------------------------------------------------------------------------------


def _charts(page: Page) -> Iterator[dict[str, Any]]:
    figures = page.figures
    if figures.questions:
        yield reliability_chart("answers", "share right", figures.questions.reliability)
    if figures.caption_reliability:
        name = "share of words that people used"
        yield reliability_chart("captions", name, figures.caption_reliability)
    if page.losses:
        yield loss_chart(page.losses)


def reliability_chart(kind: str, y_title: str, reliability: Reliability) -> dict[str, Any]:
    """Mean score over mean confidence of each bin; the diagonal is what should be."""
    ends = (0.0, 1.0)
    bars = []
    for part in reliability.bins:
        (left, top), (right, floor) = (
            _place(part.low, part.accuracy, ends, ends), _place(part.high, 0, ends, ends),
        )  # fmt: skip
        tooltip = f"{part.count}, confidence {part.confidence:.2f}, {y_title} {part.accuracy:.2f}"
        bars.append((tooltip, left + 1, top, round(right - left - 2, 2), round(floor - top, 2)))
    return _chart(f"Reliability of {kind}", "confidence", y_title, ends, ends, ".2g", ".2g") | {
        "caption": f"Reliability of {kind}: calibration error {reliability.error:.3f}",
        "bars": bars,
        "diagonal": (*_place(0, 0, ends, ends), *_place(1, 1, ends, ends)),
        "dots": [_place(p.confidence, p.accuracy, ends, ends) for p in reliability.bins],
    }


def loss_chart(points: Points) -> dict[str, Any]:
    """The training loss by step; at least one point, in the order of steps."""
    step = -(-len(points) // MOST_POINTS)
    shown = [*points[::step]] + ([points[-1]] if (len(points) - 1) % step else [])
    xs, ys = [x for x, _ in shown], [y for _, y in shown]
    room = 0.05 * ((max(ys) - min(ys)) or 1.0)
    x_ends, y_ends = (min(xs), max(xs)), (min(ys) - room, max(ys) + room)
    places = [_place(x, y, x_ends, y_ends) for x, y in shown]
    return _chart("Training loss", "step", "loss", x_ends, y_ends, ",.0f", ".3g") | {
        "caption": f"Training loss, {points[-1][1]:.3f} at the end",
        "curve": " ".join(f"{x},{y}" for x, y in places),
        "dots": places[-1:],
    }


Ends = tuple[float, float]


def _chart(  # noqa: PLR0917
    title: str, x_title: str, y_title: str, x_ends: Ends, y_ends: Ends, x_form: str, y_form: str
) -> dict[str, Any]:
    """A rectangle with two axes, and nothing in it yet."""
    grid, ticks = [], []
    for share in (number / TICKS for number in range(TICKS + 1)):
        x, y = (low + (high - low) * share for low, high in (x_ends, y_ends))
        left, height = _place(x_ends[0], y, x_ends, y_ends)
        place, floor = _place(x, y_ends[0], x_ends, y_ends)
        grid.append((left, height, WIDTH - RIGHT, height))
        ticks.append((format(y, y_form), left - 5, height + 4, "end"))
        ticks.append((format(x, x_form), place, floor + 16, "middle"))
    ticks.append((x_title, (LEFT + WIDTH - RIGHT) / 2, HEIGHT - 6, "middle"))
    return {
        "title": title, "width": WIDTH, "height": HEIGHT, "grid": grid, "ticks": ticks,
        "y_label": (y_title, 12, (TOP + HEIGHT - BOTTOM) / 2), "bars": [],
        "diagonal": None, "curve": "",
    }  # fmt: skip


def _place(x: float, y: float, x_ends: Ends, y_ends: Ends) -> tuple[float, float]:
    """The place of a point in a chart."""
    across, up = (
        (value - low) / ((high - low) or 1.0) for value, (low, high) in ((x, x_ends), (y, y_ends))
    )
    return (
        round(LEFT + across * (WIDTH - LEFT - RIGHT), 2),
        round(HEIGHT - BOTTOM - up * (HEIGHT - TOP - BOTTOM), 2),
    )
