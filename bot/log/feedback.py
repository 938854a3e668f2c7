"""What people say of answers about pictures that they share, as examples to learn from.

An answer that somebody put right is learnt as they put it. One that was found good, or that nobody
rated and the model was rather sure of, is learnt as it is, so that the model stays what it is where
nothing was wrong with it (learning without forgetting, arXiv 1606.09282).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlite_utils import Database

from bot.log.hashing import KeyUnusableError
from bot.log.pictures import PictureCipher

SURE = 0.5  # confidence from which an answer that nobody rated is kept as it is
WORDS = 20  # of a correction; what is longer is no answer
ROWS, PICTURES = "feedback.jsonl", "pictures"

_ARTICLE = re.compile(r"^(an?|the)\s+", re.IGNORECASE)
# Only ratings of people who share as well: what they wrote is theirs.
_RATINGS = """
    SELECT good, correction FROM ratings JOIN people ON people.id = ratings.person
    JOIN sharing ON sharing.hash = people.hash WHERE number = ? ORDER BY ratings.id
"""


@dataclass
class Examples:
    """What was found of one picture, and the sealed picture.

    Attributes:
        digest: SHA-256 of the picture as it was sent.
        content: The sealed picture.
        captions: Descriptions of it.
        answers: Answers by question.
        corrected: How many of both somebody put right.
    """

    digest: str
    content: bytes
    captions: list[str] = field(default_factory=list)
    answers: dict[str, list[str]] = field(default_factory=dict)
    corrected: int = 0

    def rows(self) -> Iterator[dict[str, Any]]:
        """Them as `data.records` reads them."""
        image = f"{self.digest}.jpg"
        if self.captions:
            yield {"image": image, "captions": self.captions}
        for question, answers in self.answers.items():
            yield {"image": image, "question": question, "answers": answers}


@dataclass
class Exported:
    """How much was written."""

    pictures: int = 0
    texts: int = 0
    corrected: int = 0
    unopened: int = 0


def export(db: Database, cipher: PictureCipher, folder: Path) -> Exported:
    """Write examples and their pictures, which are encrypted no longer.

    Raises:
        OSError: They cannot be written.
    """
    found = Exported()
    pictures = folder / PICTURES
    pictures.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder.chmod(0o700)
    for old in pictures.glob("*.jpg"):  # of an export before, whose people may have left since
        old.unlink()
    with (folder / ROWS).open("w", encoding="utf-8") as lines:
        for examples in shared(db):
            rows = [*examples.rows()]
            try:
                content = cipher.unseal(examples.content)
            except KeyUnusableError:
                found.unopened += 1
                continue
            if not rows:
                continue
            (pictures / f"{examples.digest}.jpg").write_bytes(content)
            lines.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
            found.pictures += 1
            found.texts += len(rows)
            found.corrected += examples.corrected
    return found


def shared(db: Database) -> Iterator[Examples]:
    """The examples of every picture that somebody shares, each once."""
    sql = (
        "SELECT sha256, content, group_concat(shared.person) AS people, pictures.id FROM shared "
        "JOIN pictures ON pictures.id = shared.picture GROUP BY pictures.id ORDER BY pictures.id"
    )
    for row in db.query(sql):
        examples = Examples(row["sha256"], row["content"])
        for person in map(int, row["people"].split(",")):
            for exchange in _exchanges(db, row["id"], person):
                _take(examples, exchange, [*db.query(_RATINGS, [exchange["number"]])])
        yield examples


def _exchanges(db: Database, picture: int, person: int) -> Iterator[dict[str, Any]]:
    sql = (
        "SELECT number, kind, question, answer, confidence, EXISTS (SELECT 1 FROM exchanges AS o "
        "WHERE o.number = exchanges.number AND o.place != exchanges.place) AS several "
        "FROM exchanges WHERE picture = ? AND person = ? AND answer IS NOT NULL ORDER BY id"
    )
    return iter([*db.query(sql, [picture, person])])


def _take(examples: Examples, exchange: dict[str, Any], ratings: Sequence[dict[str, Any]]) -> None:
    """Add what is to be learnt of one exchange, if anything."""
    right = [r["correction"] for r in ratings if r["correction"]]
    # What a reply about several pictures should have been tells of none of them.
    texts = [] if exchange["several"] else [_short(text) for text in right]
    texts = [text for text in texts if 0 < len(text.split()) <= WORDS]
    examples.corrected += len(texts)
    if not right and _stays(exchange, ratings):
        texts = [exchange["answer"]]
    if exchange["question"] is None:
        examples.captions += [text for text in texts if text not in examples.captions]
    elif texts:
        examples.answers.setdefault(exchange["question"], []).extend(map(_bare, texts))


def _stays(exchange: dict[str, Any], ratings: Sequence[dict[str, Any]]) -> bool:
    """Whether an answer is learnt as it is."""
    if ratings:
        return all(rating["good"] for rating in ratings)
    return float(exchange["confidence"] or 0) >= SURE


def _short(text: str) -> str:
    return " ".join(text.split()).strip(" .!")


def _bare(answer: str) -> str:
    """An answer as data sets have them: "a fire engine" is "fire engine"."""
    return _ARTICLE.sub("", answer)
