"""What a dataset asks: captions and questions with what people said, row by row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data.datasets.objects import DETECTIONS_FILE, LABELS_FILE
from data.datasets.official import official_rows
from data.datasets.records import Row, question_of, read_rows
from data.errors import DataError
from finetune.evaluation.metrics import words
from finetune.evaluation.vqa_accuracy import ENOUGH, normalise

_ASKS = frozenset(("question", "statement", "hypothesis"))
MOST_NAMED = 100  # characters of a file name in a sentence


@dataclass(frozen=True)
class Item:
    """A caption or a question to ask for.

    Attributes:
        image: The picture's file.
        question: What to ask; None asks for a caption.
        golds: What people said, one text a person.
        answer_type: "yes/no", "number", "other" or as the dataset says; "" for a caption.
        question_type: How the question begins; "" for a caption.
        question_id: The question's id in its dataset, if it has one; "" for a caption.
        image_id: The picture's id in its dataset, likewise.
    """

    image: Path
    question: str | None
    golds: tuple[str, ...]
    answer_type: str = ""
    question_type: str = ""
    question_id: int | str = ""
    image_id: int | str = ""

    @property
    def gold(self) -> str:
        """The text that most people gave, as one of them wrote it."""
        return Counter(self.golds).most_common(1)[0][0]


@dataclass(frozen=True)
class Dataset:
    """Captions (one a picture, however many rows it has) and questions, in the file's order.

    Attributes:
        captions: What to describe.
        questions: What to answer, each once.
        repeated: How many rows had the id and the picture of an earlier question: they are left
            out.
        unanswered: Pictures without captions and questions without answers, as test splits have
            them: they can be asked, but not scored.
    """

    captions: tuple[Item, ...]
    questions: tuple[Item, ...]
    repeated: int = 0
    unanswered: tuple[Item, ...] = ()

    @property
    def few(self) -> int:
        """How many questions have so few answers that the official accuracy could not be 1."""
        return sum(len(item.golds) <= ENOUGH for item in self.questions)


def rows_of(path: Path) -> Path:
    """The JSON lines file of a dataset: itself, or the only one in its folder beside objects.

    Raises:
        DataError: The folder has none, or several.
    """
    if not path.is_dir():
        return path
    objects = (DETECTIONS_FILE, LABELS_FILE)
    found = sorted(file for file in path.glob("*.jsonl") if file.name not in objects)
    if len(found) != 1:
        names = ", ".join(file.name for file in found) or "none"
        raise DataError(f"{path} should hold one file of JSON lines, but holds {names}; name one.")
    return found[0]


def read_dataset(
    path: Path,
    images: Path,
    split: str | None = None,
    limit: int | None = None,
    where: Mapping[str, Any] | None = None,
) -> Dataset:
    """Read JSON lines of the shapes that `data.datasets.records` knows, or an official JSON file.

    Args:
        path: The file.
        images: The folder that pictures are named relative to.
        split: Only rows that name this split under "split" or a key that ends in "_split".
        limit: At most so many pictures to describe, and so many questions.
        where: Only rows with these values.

    Raises:
        DataError: The file or a picture is missing, a row is not what it should be, or nothing is
            left to evaluate; one plain sentence.
    """
    references: dict[Path, list[str]] = {}
    ids: dict[Path, int | str] = {}
    questions: list[Item] = []
    seen: set[tuple[str | int, Path]] = set()
    repeated = 0
    found = official_rows(path) if path.suffix == ".json" else read_rows(path, where)
    for number, values in enumerate(found, 1):
        if split is not None and not _belongs(values, split):
            continue
        row = Row(values, f"Row {number} of {path}")
        image = images / row.text("image")
        ids.setdefault(image, _id(row, "image_id"))
        if "captions" in row or not row.values.keys() & _ASKS:
            told = row.texts("captions") if "captions" in row else []
            references.setdefault(image, []).extend(filter(words, told))
        elif (key := (row.text("question_id") if "question_id" in row else number, image)) in seen:
            repeated += 1
        elif question := _question(row, image):
            questions.append(question)
            seen.add(key)
    described = [
        Item(image, None, tuple(texts), image_id=ids[image]) for image, texts in references.items()
    ]
    captions = [item for item in described if item.golds]
    answered = [item for item in questions if item.golds]
    unanswered = [item for item in (*described, *questions) if not item.golds]
    if not (captions or answered or unanswered):
        of_split = f" of the split {split!r}" if split is not None else ""
        raise DataError(f"{path} has no rows{of_split} to evaluate.")
    dataset = Dataset(
        tuple(captions[:limit]), tuple(answered[:limit]), repeated, tuple(unanswered[:limit])
    )
    asked = (*dataset.captions, *dataset.questions, *dataset.unanswered)
    _check_images([item.image for item in asked], images)
    return dataset


def _id(row: Row, key: str) -> int | str:
    """An id as the dataset has it; "" if there is none."""
    found = row.values.get(key)
    return found if isinstance(found, int | str) and not isinstance(found, bool) else ""


def _belongs(values: dict[str, Any], split: str) -> bool:
    keys = (key for key in values if key == "split" or key.endswith("_split"))
    return any(values[key] == split for key in keys)


def _question(row: Row, image: Path) -> Item | None:
    """The question of a row with every person's answer; None if it has no right answer."""
    if "question" not in row:
        record = question_of(row)  # a statement to agree with
        if record is None:
            return None
        question, golds = record.question, tuple(answer for answer, _ in record.answers)
    else:
        question = row.text("question")
        listed = row.texts("answers") if row.values.get("answers") else []
        listed = listed or ([row.text("answer")] if "answer" in row else [])
        golds = tuple(answer.replace("_", " ") for answer in listed)
    kind = answer_type(golds) if golds else ""
    kind = row.text("answer_type") if "answer_type" in row else kind
    start = row.text("question_type") if "question_type" in row else _start(question)
    ids = _id(row, "question_id"), _id(row, "image_id")
    return Item(image, question, golds, kind, start, *ids)


def answer_type(golds: Sequence[str]) -> str:
    """By the answer that most people gave: "yes/no", "number" or "other"."""
    texts = [normalise(gold) for gold in golds]
    common = max(texts, key=texts.count)
    if common in ("yes", "no"):
        return "yes/no"
    return "number" if common.replace(".", "", 1).isdigit() else "other"


def _start(question: str) -> str:
    return " ".join(words(question)[:2]) or "other"


def _check_images(paths: Sequence[Path], folder: Path) -> None:
    if not folder.is_dir():
        raise DataError(f"There is no folder {folder} of pictures; name it with --images.")
    distinct = sorted(set(paths))
    missing = [path for path in distinct if not path.is_file()]
    if missing:
        name = "".join(c if c.isprintable() else "?" for c in missing[0].name)[:MOST_NAMED]
        raise DataError(
            f"{len(missing)} of {len(distinct)} pictures are missing in {folder}, such as {name}."
        )


def derange(names: Sequence[str]) -> Mapping[str, str]:
    """Another picture for each picture, the same at every run: the shuffled-pictures control."""
    ordered = sorted(set(names))
    step = max(1, len(ordered) // 2 - 1)
    return {name: ordered[(i + step) % len(ordered)] for i, name in enumerate(ordered)}
