"""Where pictures lie, and the links by which they are reached below a dataset's folder."""

from __future__ import annotations

import stat
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from data.datasets.records import DataError

IMAGES = "images"


@dataclass(frozen=True)
class Folders:
    """Folders of pictures, each with the name it has below `images`; "" if it is `images`.

    Attributes:
        entries: Name → absolute folder.
        saved: Whether the pictures are saved in `images` as they are fetched.
    """

    entries: dict[str, Path]
    saved: bool = False
    _found: dict[str, str | None] = field(default_factory=dict, init=False, compare=False)

    @classmethod
    def of(cls, folders: Sequence[Path]) -> Folders:
        """One folder becomes `images` itself; several become folders in it, by their own names.

        Raises:
            DataError: One is missing.
        """
        for folder in folders:
            if not folder.is_dir():
                raise DataError(f"The folder of pictures {folder} is missing.")
        real = list(dict.fromkeys(folder.resolve() for folder in folders))
        if len(real) == 1:
            return cls({"": real[0]})
        entries: dict[str, Path] = {}
        for folder in real:
            name, number = folder.name, 2
            while name in entries:
                name, number = f"{folder.name}-{number}", number + 1
            entries[name] = folder
        return cls(entries)

    def find(self, name: str, subfolder: str = "") -> str | None:
        """A picture's path relative to `images`, or None if no folder has it.

        Args:
            name: The picture's file name.
            subfolder: Where it may also be in each folder.
        """
        if name not in self._found:
            self._found[name] = self._look(name, subfolder)
        return self._found[name]

    def _look(self, name: str, subfolder: str) -> str | None:
        names = (name, f"{subfolder}/{name}") if subfolder else (name,)
        for label, folder in self.entries.items():
            for inside in names:
                if _has_content(folder / inside):
                    return f"{label}/{inside}" if label else inside
        return None

    def linked(self, target: Path) -> bool:
        """Whether every folder is reached below the dataset's folder."""
        return all(_same(target / IMAGES / label, folder) for label, folder in self.entries.items())

    def check_place(self, target: Path, ours: bool) -> None:
        """Make sure that `images` may be made, or replaced.

        Raises:
            DataError: Something else lies there.
        """
        place = target / IMAGES
        if not (place.exists() or place.is_symlink()):
            return
        if self.saved:
            free = ours and not place.is_symlink()  # or we would write into somebody's folder
        else:
            free = self.linked(target) or (ours and _only_links(place))
        if not free:
            raise DataError(f"{place} is there already; please name another folder with --to.")

    def link(self, target: Path) -> None:
        """Make `images`, in one step at the end, unless the pictures are reached already.

        Raises:
            OSError: The links cannot be made.
        """
        if self.linked(target):
            return
        place, part = target / IMAGES, target / f"{IMAGES}.part"
        _remove_links(part)
        if "" in self.entries:
            part.symlink_to(self.entries[""], target_is_directory=True)
        else:
            part.mkdir()
            for label, folder in self.entries.items():
                (part / label).symlink_to(folder, target_is_directory=True)
        _remove_links(place)
        part.rename(place)


def coco_name(part: str, image_id: int) -> str:
    """COCO's file name of a picture of 2014: "COCO_train2014_000000000009.jpg"."""
    return f"COCO_{part}_{image_id:012d}.jpg"


def _has_content(path: Path) -> bool:
    try:
        found = path.stat()
    except (OSError, ValueError):
        return False
    return stat.S_ISREG(found.st_mode) and found.st_size > 0


def _same(link: Path, folder: Path) -> bool:
    try:
        return link.samefile(folder)
    except OSError:
        return False


def _only_links(place: Path) -> bool:
    if place.is_symlink() or not place.is_dir():
        return place.is_symlink()
    return all(entry.is_symlink() for entry in place.iterdir())


def _remove_links(place: Path) -> None:
    if place.is_symlink():
        place.unlink()
    elif place.is_dir():
        for entry in place.iterdir():
            if entry.is_symlink():
                entry.unlink()
        place.rmdir()  # fails if it holds anything else
