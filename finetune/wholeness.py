"""Whether everything that a recipe learns from is there, before anything is computed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from data.prepare.writing import remarks
from data.datasets.records import DataError
from finetune.config import Recipe


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
    return tuple(f"{folder}: {remark}" for folder in folders for remark in remarks(folder))
