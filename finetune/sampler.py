"""The training mixture: which pictures are visited at a step, and which texts are learnt there.

Every draw depends on the seed and the step alone, so that a resumed run continues to the same
numbers.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor

from data.box_qa.generator import BoxQuestions
from data.caption_qa.generator import CaptionQuestions
from data.datasets.manifest import read_warnings
from data.datasets.objects import read_objects_folder
from data.datasets.records import (
    QuestionRecord,
    parse_rows,
    question_of,
    read_pictures,
    read_questions,
)
from data.errors import DataError
from finetune.config import ObjectSources, Recipe, Source
from finetune.packing import Group, Segment
from model.prompts import CAPTION_PROMPT, question_prompt

Tokens = Callable[[str], list[int]]
T = TypeVar("T")
IMPLIED_DROPOUT = 0.2  # of the tags that a text implies
_POLAR = ("yes", "no")
_ABSENT = ("no", "none", "nothing", "0", "zero")
_SIDES = re.compile(r"\b(left|right)\b", re.IGNORECASE)
_PRESENCE = re.compile(r"(is|are) there\b.*\b(picture|image|photo)\b", re.IGNORECASE)


@dataclass(frozen=True)
class Visit:
    """A picture (or none) with the texts learnt about it.

    Attributes:
        image: Name of the picture, or None for texts alone.
        group: The texts.
        draw: Chooses the picture's view or crop, and the hidden positions; 0..1.
        sided: Whether a text speaks of left or right, so that no mirrored view will do.
        dropout: Share of the prefix positions that are hidden.
        whole: Whether the picture is seen whole, since a crop may lack what a text is about.
        implied: Without a picture, a text whose words the tags of the prefix name; all its other
            positions are hidden then.
    """

    image: str | None
    group: Group
    draw: float = 0.0
    sided: bool = False
    dropout: float = 0.0
    whole: bool = False
    implied: str = ""

    def kept(self, positions: int) -> Tensor:
        """Which of a prefix's positions are not hidden: bool (P), the same for the same draw."""
        rng = torch.Generator().manual_seed(int(self.draw * 2**53))
        return torch.rand(positions, generator=rng) >= self.dropout

    def view(self, count: int) -> int:
        """Which of `count` cached views is seen; odd ones are mirrored, crops come after two."""
        choices = range(0, min(count, 2) if self.whole else count, 2 if self.sided else 1)
        return choices[int(self.draw * len(choices))]


@dataclass(frozen=True)
class ImageTexts:
    """One picture's texts, ready to be drawn from.

    Attributes:
        image: Name of the picture.
        captions: Its captions.
        questions: Questions that people asked and answered.
        polar: Questions derived from captions whose answer is yes or no.
        open: The other derived questions.
        boxes: Questions made from the boxes of objects.
    """

    image: str
    captions: Sequence[str]
    questions: Sequence[QuestionRecord]
    polar: Sequence[QuestionRecord]
    open: Sequence[QuestionRecord]
    boxes: Sequence[QuestionRecord] = ()


class Mixture:
    """Draws visits from the sources of a recipe.

    Args:
        recipe: Names the sources.
        root: The data folder.
        tokens: Text → token ids.
        target: Caption or answer → token ids of what is learnt, the end token included.

    Raises:
        DataError: A source is missing or gives no picture.
    """

    def __init__(self, recipe: Recipe, root: Path, tokens: Tokens, target: Tokens) -> None:
        self.recipe, self._tokens, self._target = recipe, tokens, target
        self.sources = [(it, read_source(it, root, recipe.objects)) for it in recipe.sources]
        self._implied = [(it, read_implied(root / it.file)) for it in recipe.implied]
        self.texts = read_questions(root / recipe.text_only) if recipe.text_only else []
        deriving = [(source.share, items) for source, items in self.sources if source.derived]
        asked = [(share, [i for i in items if i.polar or i.open]) for share, items in deriving]
        self._unshown = [(share, items) for share, items in asked if share and items]
        if recipe.schedule.derived_texts and not self._unshown:
            raise DataError("derived_texts asks for derived questions, and the sources give none.")

    @property
    def captions(self) -> dict[str, Sequence[str]]:
        """The captions of every picture that has some, by the picture's name."""
        everything = [item for _, items in self.sources for item in items]
        return {item.image: item.captions for item in everything if item.captions}

    @property
    def mentions(self) -> dict[str, Sequence[str]]:
        """What people's questions tell of every other picture, by the picture's name."""
        found: dict[str, list[str]] = {}
        for _, items in self.sources:
            for item in items:
                found.setdefault(item.image, []).extend(presuppositions(item.questions))
        captions = self.captions
        return {image: texts for image, texts in found.items() if texts and image not in captions}

    @property
    def described(self) -> list[str]:
        """Every picture that captions or questions tell something of, each once."""
        return sorted(self.captions | self.mentions)

    @property
    def images(self) -> list[str]:
        """Every picture that may be visited, each once."""
        return sorted({item.image for _, items in self.sources for item in items})

    def visits(self, step: int, pictures: int, texts: int) -> list[Visit]:
        """The draws of one step: `pictures` with their texts, and `texts` questions alone."""
        rng = random.Random(f"{self.recipe.seed}:{step}")
        shares = [source.share for source, _ in self.sources]
        visits = []
        for _ in range(pictures):
            source, items = rng.choices(self.sources, shares)[0]
            visits.append(self._visit(source, rng.choice(items), rng))
        unseen = round(texts * self.recipe.schedule.derived_texts)
        people = rng.sample(self.texts, min(texts - unseen, len(self.texts)))
        alone = [self._question(record, rng) for record in people]
        alone.extend(self._unseen(rng) for _ in range(unseen))
        visits.extend(self._imply(rng) for _ in range(self.recipe.schedule.implied))
        return visits + [Visit(None, Group((text,), has_picture=False)) for text in alone]

    def _imply(self, rng: random.Random) -> Visit:
        """Texts without a picture, behind the tags that their words imply."""
        shares = [texts.share for texts, _ in self._implied]
        texts, rows = rng.choices(self._implied, shares)[0]
        row = rng.choice(rows)
        if isinstance(row, QuestionRecord):
            answer = row.answers[0][0]
            learnt, implied = [self._question(row, rng)], f"{row.question} {answer}"
        else:
            said = _some(row, texts.texts, rng)
            learnt, implied = [self._caption(text) for text in said], " ".join(said)
        group = Group(fill(learnt, self.recipe.text_tokens), has_picture=True)
        return Visit(None, group, rng.random(), dropout=IMPLIED_DROPOUT, implied=implied)

    def _unseen(self, rng: random.Random) -> Segment:
        """A derived question whose picture is not shown."""
        shares = [share for share, _ in self._unshown]
        _, items = rng.choices(self._unshown, shares)[0]
        (record,) = _derived(rng.choice(items), 1, rng)
        return self._question(record, rng)

    def _visit(self, source: Source, item: ImageTexts, rng: random.Random) -> Visit:
        captions = _some(item.captions, source.captions, rng)
        people = _some(item.questions, source.questions, rng)
        boxes = _some(item.boxes, source.boxes, rng)
        asked = [*people, *boxes, *_derived(item, source.derived, rng)]
        said = [*captions, *(it.question for it in asked)]
        said += [answer for it in asked for answer, _ in it.answers]
        sided = any(_SIDES.search(text) for text in said)
        texts = [self._caption(text) for text in captions]
        texts.extend(self._question(record, rng) for record in asked)
        rng.shuffle(texts)
        group = Group(fill(texts, self.recipe.text_tokens), has_picture=True)
        return Visit(
            item.image, group, rng.random(), sided, source.prefix_dropout, whole=bool(boxes)
        )

    def _caption(self, caption: str) -> Segment:
        return Segment(tuple(self._tokens(CAPTION_PROMPT)), tuple(self._target(caption)))

    def _times(self, record: QuestionRecord) -> float:
        """How much more a question weighs than others, by its answer and what it asks for."""
        schedule, answer = self.recipe.schedule, record.answers[0][0]
        if _PRESENCE.match(record.question):  # so worded that the model can tell it from others
            return schedule.no_weight if record.kind == "presence" and answer == "no" else 1.0
        if record.kind == "presence" or answer != "yes":
            return 1.0
        return schedule.yes_weight

    def _question(self, record: QuestionRecord, rng: random.Random) -> Segment:
        prompt = self._tokens(question_prompt(record.question))
        answer = draw_answer(record, rng)
        weight = self._times(record) * self.recipe.schedule.answer_weight
        return Segment(tuple(prompt), tuple(self._target(answer)), weight)


def read_implied(path: Path) -> list[Sequence[str] | QuestionRecord]:
    """The captions, or the question, of each row of a file without pictures.

    A question whose answer is "no" or "none" is left out: what it names is not there.

    Raises:
        DataError: The file is missing, damaged or empty.
    """
    rows: list[Sequence[str] | QuestionRecord] = []
    for row in parse_rows(path):
        if "captions" in row:
            rows.append(row.texts("captions"))
        elif (question := question_of(row)) and question.answers[0][0] not in _ABSENT:
            rows.append(question)
    if not rows:
        raise DataError(f"The file {path} holds no captions or questions to learn.")
    return rows


def read_source(
    source: Source,
    root: Path,
    objects: ObjectSources = ObjectSources(),  # noqa: B008 - frozen
) -> list[ImageTexts]:
    """The pictures of a source that have something to learn, with derived questions if asked for.

    Raises:
        DataError: A file is missing, or no picture is left.
    """
    where = {source.split_key: source.split} if source.split_key else None
    files = [root / file for file in source.files]
    records = read_pictures(files, root / source.images, where, source.prefix)
    captions = {str(record.image): record.captions for record in records if record.captions}
    maker = CaptionQuestions(captions) if source.derived else None
    names = [record.image.relative_to(root / source.images).as_posix() for record in records]
    boxes = _from_boxes(source, root, objects, names)
    items = []
    for record, name in zip(records, names, strict=True):
        derived = maker.questions(str(record.image)) if maker and record.captions else []
        items.append(
            ImageTexts(
                record.image.relative_to(root).as_posix(),
                record.captions if source.captions else (),
                record.questions if source.questions else (),
                [q for q in derived if q.answer in _POLAR],
                [q for q in derived if q.answer not in _POLAR],
                boxes.get(name, ()),
            )
        )
    items = [it for it in items if it.captions or it.questions or it.polar or it.open or it.boxes]
    if not items:
        raise DataError(f"The source {source.name!r} of the recipe holds no pictures to learn.")
    return items


def _from_boxes(
    source: Source, root: Path, objects: ObjectSources, names: Sequence[str]
) -> dict[str, list[QuestionRecord]]:
    """Questions from boxes about the pictures of a source, by name; none if it asks for none."""
    if not source.boxes:
        return {}
    folder = (root / source.images).parent
    known = set(names)
    seen = read_objects_folder(folder, masks=folder.relative_to(root).as_posix() in objects.masks)
    maker = BoxQuestions({name: it for name, it in seen.items() if name in known})
    return {name: maker.questions(name) for name in seen if name in known}


def presuppositions(questions: Sequence[QuestionRecord]) -> list[str]:
    """What holds of a picture if people ask these questions, as texts of question and answer.

    "What colour is the cat?" has a cat in it; a question that is answered "no" or "none" tells
    nothing.
    """
    texts = []
    for record in questions:
        answer, most = record.answers[0]
        if answer not in _ABSENT:
            enough = min(3, most)
            agreed = [text for text, count in record.answers if count >= enough]
            texts.append(" ".join([record.question, *agreed]).replace("_", " "))
    return texts


def draw_answer(record: QuestionRecord, rng: random.Random) -> str:
    """An answer to learn: mostly the majority's, else one that at least three people gave."""
    agreed = [(answer, count) for answer, count in record.answers if count >= 3]
    if len(agreed) < 2 or rng.random() < 0.5:
        return record.answers[0][0]
    return rng.choices([a for a, _ in agreed], [c for _, c in agreed])[0]


def fill(texts: Sequence[Segment], room: int) -> tuple[Segment, ...]:
    """As many texts as fit into `room` tokens, in order; at least one, so that none starves."""
    chosen: list[Segment] = []
    for text in texts:
        length = len(text.prompt) + len(text.target)
        if not chosen or length <= room:
            chosen.append(text)
            room -= length
    return tuple(chosen)


def _derived(item: ImageTexts, count: int, rng: random.Random) -> list[QuestionRecord]:
    """Up to `count` derived questions, half of them for yes or no; the only ones there are else."""
    polar = count // 2 if count != 1 else rng.randrange(2)
    chosen = [*_some(item.polar, polar, rng), *_some(item.open, count - polar, rng)]
    return chosen or _some([*item.polar, *item.open], count, rng)


def _some(items: Sequence[T], count: int, rng: random.Random) -> list[T]:
    return rng.sample(list(items), min(count, len(items)))


def check_pictures(images: Sequence[str], root: Path) -> None:
    """Make sure that every picture is a file.

    Args:
        images: Names of the pictures.
        root: The data folder that they are relative to.

    Raises:
        DataError: Some are not; one sentence with how many, and with the first.
    """
    missing = [image for image in images if not (root / image).is_file()]
    if len(missing) == 1:
        raise DataError(f"The training picture {root / missing[0]} is missing or cannot be read.")
    if missing:
        raise DataError(
            f"{len(missing):,} of {len(images):,} training pictures are missing, such as "
            f"{root / missing[0]}; bring them, or prepare the dataset again without them."
        )


def warnings_of(recipe: Recipe, root: Path) -> tuple[str, ...]:
    """What `glimpse data` warned of as it prepared the recipe's sources, each with its folder.

    Raises:
        DataError: A preparation was interrupted.
    """
    folders = {(root / file).parent: None for source in recipe.sources for file in source.files}
    return tuple(f"{folder}: {remark}" for folder in folders for remark in read_warnings(folder))
