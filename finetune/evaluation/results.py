"""Result files as the evaluation servers of VQA v2 and of COCO's captions take them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from data.errors import DataError
from finetune.evaluation.dataset import Dataset, Item
from finetune.evaluation.runner import Replies, Reply

_NUMBER = re.compile(r"(\d+)\.\w+$")


def pairs(dataset: Dataset, replies: Replies) -> list[tuple[Item, Reply]]:
    """Everything that was asked about its own picture, with what the model said."""
    items = (*dataset.captions, *dataset.questions, *dataset.unanswered)
    said = (*replies.captions, *replies.questions, *replies.unanswered)
    return [*zip(items, said, strict=True)]


def check_ids(dataset: Dataset, *, questions: bool, captions: bool) -> None:
    """See that what is to be written has ids, before anything is asked.

    Args:
        dataset: What is asked.
        questions: Whether answers are to be written.
        captions: Whether captions are.

    Raises:
        DataError: There is nothing to write, or a row has no id; one plain sentence.
    """
    items = (*dataset.captions, *dataset.questions, *dataset.unanswered)
    wanted = [("question_id", [i for i in items if i.question is not None])] * questions
    wanted += [("image_id", [i for i in items if i.question is None])] * captions
    for key, chosen in wanted:
        if not chosen:
            noun = "questions" if key == "question_id" else "pictures to describe"
            raise DataError(f"The dataset has no {noun}, so that there is no such result file.")
        for item in chosen:
            if _id_of(item) == "":
                raise DataError(
                    f"A result file needs {key} in every row; that of {item.image.name} has none."
                )


def vqa_results(said: Sequence[tuple[Item, Reply]]) -> list[dict[str, Any]]:
    """What the server of VQA v2 takes: `[{"question_id": 1, "answer": "yes"}]`."""
    return [
        {"question_id": _id_of(item), "answer": reply.text}
        for item, reply in said
        if item.question is not None
    ]


def caption_results(said: Sequence[tuple[Item, Reply]]) -> list[dict[str, Any]]:
    """What COCO's server takes: `[{"image_id": 42, "caption": "a dog"}]`."""
    return [
        {"image_id": _id_of(item), "caption": reply.text}
        for item, reply in said
        if item.question is None
    ]


def _id_of(item: Item) -> int | str:
    """The id of a question or of a picture, which COCO's file names tell, too."""
    if item.question is not None:
        return item.question_id
    named = _NUMBER.search(item.image.name)
    return item.image_id if item.image_id != "" else int(named[1]) if named else ""
