"""Pictures of the report with what the model says of them, and which of them are shown."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from finetune.evaluation.markup import Html, element
from finetune.evaluation.runner import open_image
from finetune.evaluation.summary import Scored

THUMBNAIL = 160  # pixels of its longest side
SHOWN = 24  # replies from all over the dataset
WORST = 12  # answers, and as many captions
POOR = 10.0  # CIDEr-D of a caption that shares next to nothing with what people said


def worst_answers(replies: Sequence[Scored]) -> list[Scored]:
    """Answers that nobody gave, the surest first."""
    return _surest([r for r in replies if r.item.question is not None and r.score == 0])


def worst_captions(replies: Sequence[Scored]) -> list[Scored]:
    """Captions with a CIDEr-D below `POOR`, the surest first."""
    return _surest([r for r in replies if r.cider is not None and r.cider < POOR])


def sample(replies: Sequence[Scored]) -> list[Scored]:
    """Replies from all over the dataset."""
    count = min(SHOWN, len(replies))
    return [replies[i * len(replies) // count] for i in range(count)]


def pictures(replies: Sequence[Scored]) -> Html:
    """A grid of pictures, each with the question, the reply, and how good that is."""
    return element("div", *map(_picture, replies), class_="pictures")


def _surest(replies: Sequence[Scored]) -> list[Scored]:
    return sorted(replies, key=lambda r: -r.reply.confidence)[:WORST]


def _picture(scored: Scored) -> Html:
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
    return element(
        "figure",
        element("img", src=_thumbnail(item.image), alt=item.image.name, title=item.image.name),
        element("div", item.question or "Caption", class_="question"),
        element("div", reply.text or "(nothing)", class_=kind),
        element(
            "figcaption",
            element("div", f"people: {people}"),
            f"{100 * reply.confidence:.0f} % sure{good}",
        ),
    )


def _thumbnail(path: Path) -> str:
    """A data URL of a small JPEG."""
    image = open_image(path).image.copy()
    image.thumbnail((THUMBNAIL, THUMBNAIL), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    image.save(file, "JPEG", quality=80)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode("ascii")
