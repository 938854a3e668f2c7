"""What people say of answers about pictures that they share, as examples to learn from.

An answer that somebody put right is learnt as they put it last. One that was found good, or that
nobody rated and the model was rather sure of, is learnt as it is, so that the model stays what it
is where nothing was wrong with it (learning without forgetting, arXiv 1606.09282).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlite_utils import Database

from bot.assistant.text import is_german
from bot.assistant.translation.answers import in_english
from bot.assistant.translation.translator import translate
from bot.errors import LogKeyError
from bot.log.privacy import PictureCipher
from model.questions import is_polar

SURE = 0.5  # confidence from which an answer that nobody rated is kept as it is
ANSWER, CAPTION = 8, range(4, 31)  # words of what people put right; all else is neither
ROWS, PICTURES = "feedback.jsonl", "pictures"

_DIGEST = re.compile("[0-9a-f]{64}")
_ARTICLE = re.compile(r"^(an?|the)\s+", re.IGNORECASE)
# Since they allowed it: what was asked before is none of this.
_SHARED_EXCHANGES = """
    SELECT number, question, answer, confidence,
           EXISTS (SELECT 1 FROM exchanges AS o WHERE o.number = exchanges.number
                   AND o.place != exchanges.place) AS several
    FROM exchanges JOIN people ON people.id = person JOIN sharing ON sharing.hash = people.hash
    WHERE picture = ? AND person = ? AND answer IS NOT NULL AND exchanges.at >= sharing.at
    ORDER BY exchanges.id
"""
# Anybody may find an answer bad, but only words of people who share are learnt.
_RATINGS = """
    SELECT good, iif(ratings.at >= sharing.at, correction, NULL) AS correction FROM ratings
    JOIN people ON people.id = ratings.person LEFT JOIN sharing ON sharing.hash = people.hash
    WHERE number = ? ORDER BY ratings.at
"""


@dataclass
class AnswerFeedback:
    """What was said to one question about a picture, or as its caption.

    Attributes:
        texts: What is learnt as it is.
        bad: What is not, for it was found bad.
        right: What it should have been, if anybody told; their last word counts.
    """

    texts: list[str] = field(default_factory=list)
    bad: set[str] = field(default_factory=set)
    right: str = ""

    def targets(self) -> list[str]:
        """What is to be learnt."""
        return [self.right] if self.right else [t for t in self.texts if t not in self.bad]


@dataclass
class PictureExamples:
    """What was said of one picture, and the sealed picture.

    Attributes:
        digest: SHA-256 of the picture as it was sent.
        content: The sealed picture.
        said: By question; None stands for captions.
    """

    digest: str
    content: bytes
    said: dict[str | None, AnswerFeedback] = field(default_factory=dict)

    def rows(self) -> Iterator[dict[str, Any]]:
        """What is to be learnt, as `data.datasets.records` reads it."""
        image = f"{self.digest}.jpg"
        for question, said in self.said.items():
            texts = said.targets()
            if texts and question is None:
                yield {"image": image, "captions": [*dict.fromkeys(texts)]}
            elif texts:
                yield {"image": image, "question": question, "answers": texts}


@dataclass
class ExportCounts:
    """How much was written."""

    pictures: int = 0
    texts: int = 0
    corrected: int = 0
    unopened: int = 0


def export(db: Database, cipher: PictureCipher, folder: Path) -> ExportCounts:
    """Write examples and their pictures, which are encrypted no longer; the rows appear at the end.

    Raises:
        OSError: They cannot be written.
    """
    found = ExportCounts()
    pictures = folder / PICTURES
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    pictures.mkdir(exist_ok=True, mode=0o700)
    rows_file, part = folder / ROWS, folder / f"{ROWS}.part"
    rows_file.unlink(missing_ok=True)
    for old in pictures.glob("*.jpg"):  # of an export before, whose people may have left since
        if _DIGEST.fullmatch(old.stem):
            old.unlink()
    with part.open("w", encoding="utf-8") as lines:
        for examples in shared(db):
            rows = [*examples.rows()]
            try:
                content = cipher.unseal(examples.content)
            except LogKeyError:
                found.unopened += 1
                continue
            if not rows:
                continue
            (pictures / f"{examples.digest}.jpg").write_bytes(content)
            lines.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
            found.pictures += 1
            found.texts += len(rows)
            found.corrected += sum(bool(said.right) for said in examples.said.values())
    part.replace(rows_file)
    return found


def shared(db: Database) -> Iterator[PictureExamples]:
    """The examples of every picture that somebody shares, each once."""
    sql = (
        "SELECT sha256, content, group_concat(shared.person) AS people, pictures.id FROM shared "
        "JOIN pictures ON pictures.id = shared.picture GROUP BY pictures.id ORDER BY pictures.id"
    )
    for row in db.query(sql):
        examples = PictureExamples(row["sha256"], row["content"])
        for person in map(int, row["people"].split(",")):
            for exchange in [*db.query(_SHARED_EXCHANGES, [row["id"], person])]:
                _add_exchange(examples, exchange, [*db.query(_RATINGS, [exchange["number"]])])
        yield examples


def _add_exchange(
    examples: PictureExamples, exchange: dict[str, Any], ratings: Sequence[dict[str, Any]]
) -> None:
    """Take in one exchange, if there is English for it."""
    if exchange["question"] is not None:
        exchange = _in_english(exchange)
    question = exchange["question"]
    if is_german(exchange["answer"] if question is None else question):
        return  # which a model elsewhere understood, or wrote
    said = examples.said.setdefault(question and " ".join(question.split()), AnswerFeedback())
    # What a reply about several pictures should have been tells of none of them.
    told = [r["correction"] for r in ratings if r["correction"] and not exchange["several"]]
    said.right = next(filter(None, (_usable(text, question) for text in told[::-1])), said.right)
    answer = exchange["answer"] if question is None else _bare(exchange["answer"])
    if any(not rating["good"] for rating in ratings):
        said.bad.add(answer)
    elif ratings or float(exchange["confidence"] or 0) >= SURE:
        said.texts += [answer] if question is None or (answer and "," not in answer) else []


def _in_english(exchange: dict[str, Any]) -> dict[str, Any]:
    """A German question and its answer as the model is taught, which knows English only.

    Corrections are kept in English. An answer that cannot be put back is left empty.
    """
    asked = translate(exchange["question"])
    if asked is None:
        return exchange
    answer = in_english(exchange["answer"])
    return {**exchange, "question": asked.english, "answer": answer}


def _usable(text: str, question: str | None) -> str:
    """What somebody put right, as it is learnt; "" if it cannot be."""
    short = _short(text)
    if question is None:
        return short if len(short.split()) in CAPTION else ""
    answer = _bare(short)
    # Data sets list answers by commas; and a yes-or-no question has no other answer.
    wrong = "," in answer or (is_polar(question) and answer.lower() not in {"yes", "no"})
    return "" if wrong or not 0 < len(answer.split()) <= ANSWER else answer


def _short(text: str) -> str:
    return " ".join(text.split()).strip(" .!")


def _bare(answer: str) -> str:
    """An answer as data sets have them: "a fire engine" is "fire engine"."""
    return _ARTICLE.sub("", answer)
