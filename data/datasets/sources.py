"""What datasets are made from: JSON and text files that people have, and folders of pictures.

Whatever an untrusted file holds that it should not is one plain sentence.
"""

from __future__ import annotations

import hashlib
import json
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from data.datasets.records import Row
from data.errors import DataError

# What is being done, how much of it is done, and of how much (0: nobody knows).
Progress = Callable[[str, int, int], None]
IMAGES = "images"  # the folder of pictures within a dataset's folder
_CHUNK = 1 << 20


def no_progress(title: str, done: int, total: int) -> None:
    """Report progress to nobody."""


def load_json(path: Path, hook: Callable[[dict[str, Any]], Any] | None = None) -> Row:
    """The JSON object that a file holds.

    Args:
        path: The file.
        hook: Replaces each object inside as soon as it is read, to keep memory small.

    Raises:
        DataError: It is missing, damaged, or holds something else.
    """
    try:
        with path.open(encoding="utf-8-sig") as file:
            found = json.load(file, object_hook=hook)
    except OSError as error:
        raise unreadable(path) from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} is not valid JSON.") from error
    return Row.of(found, str(path))


def rows_at(document: Row, key: str, noun: str) -> Iterator[Row]:
    """The objects listed under a key, each called "NOUN 3 of PATH" in sentences.

    Raises:
        DataError: There is no list, or one holds something else.
    """
    for number, entry in enumerate(document.items(key), 1):
        yield Row.of(entry, f"{noun} {number} of {document.where}")


def read_lines(path: Path) -> Iterator[tuple[str, str]]:
    """The lines of a text file that are not blank, each after "Line 3 of PATH".

    Raises:
        DataError: It is missing or no text.
    """
    try:
        with path.open(encoding="utf-8-sig") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield f"Line {number} of {path}", line.rstrip("\r\n")
    except OSError as error:
        raise unreadable(path) from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not a text file in UTF-8.") from error


def looks_like_json(path: Path) -> bool:
    """Whether a file begins as a JSON object does.

    Raises:
        DataError: It cannot be read.
    """
    try:
        with path.open("rb") as file:
            return file.read(64).removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"{")
    except OSError as error:
        raise unreadable(path) from error


def unreadable(path: Path) -> DataError:
    """The error for a file that cannot be opened."""
    return DataError(f"The file {path} is missing or cannot be read.")


def fingerprints(files: Sequence[Path], progress: Progress) -> list[dict[str, Any]]:
    """Path, size and SHA-256 of each file.

    Raises:
        DataError: One cannot be read.
    """
    found, done = [], 0
    total = sum(path.stat().st_size for path in files if path.is_file())

    def count(size: int) -> None:
        nonlocal done
        done += size
        progress("Checking the files", done, total)

    for path in files:
        try:
            found.append({"path": str(path.resolve()), **file_digest(path, count)})
        except OSError as error:
            raise unreadable(path) from error
    return found


def file_digest(path: Path, count: Callable[[int], None] = lambda size: None) -> dict[str, Any]:
    """Size and SHA-256 of a file, whose reading is counted by bytes."""
    sha, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            sha.update(chunk)
            size += len(chunk)
            count(len(chunk))
    return {"bytes": size, "sha256": sha.hexdigest()}


def safe_name(name: str, where: str) -> str:
    """A picture's name, if it stays inside the folder of pictures.

    Raises:
        DataError: It is absolute, has "..", or cannot be a file's name.
    """
    parts = name.replace("\\", "/").split("/")
    if not name.isprintable() or ":" in parts[0] or {"", ".", ".."} & set(parts):
        raise DataError(
            f"{where} names the picture {name[:80]!r}, which is no name inside a folder."
        )
    return name


def coco_name(part: str, image_id: int) -> str:
    """COCO's file name of a picture of 2014: "COCO_train2014_000000000009.jpg"."""
    return f"COCO_{part}_{image_id:012d}.jpg"


@dataclass(frozen=True)
class ImageFolders:
    """Folders of pictures, reached by links below a dataset's `images` folder.

    Attributes:
        entries: Name below `images` → absolute folder; "" if the folder is `images` itself.
        saved: Whether the pictures are saved in `images` as they are fetched.
    """

    entries: dict[str, Path]
    saved: bool = False
    _found: dict[str, str | None] = field(default_factory=dict, init=False, compare=False)

    @classmethod
    def of(cls, folders: Sequence[Path]) -> ImageFolders:
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
            self._found[name] = self._search(name, subfolder)
        return self._found[name]

    def _search(self, name: str, subfolder: str) -> str | None:
        names = (name, f"{subfolder}/{name}") if subfolder else (name,)
        for label, folder in self.entries.items():
            for inside in names:
                if _is_nonempty_file(folder / inside):
                    return f"{label}/{inside}" if label else inside
        return None

    def is_linked(self, target: Path) -> bool:
        """Whether every folder is reached below the dataset's folder."""
        return all(_same(target / IMAGES / label, folder) for label, folder in self.entries.items())

    def check_free(self, target: Path, is_ours: bool) -> None:
        """Make sure that `images` may be made, or replaced.

        Raises:
            DataError: Something else lies there.
        """
        place = target / IMAGES
        if not (place.exists() or place.is_symlink()):
            return
        if self.saved:
            free = is_ours and not place.is_symlink()  # or we would write into somebody's folder
        else:
            free = self.is_linked(target) or (is_ours and _holds_only_links(place))
        if not free:
            raise DataError(f"{place} is there already; please name another folder with --to.")

    def link(self, target: Path) -> None:
        """Make `images`, in one step at the end, unless the pictures are reached already.

        Raises:
            OSError: The links cannot be made.
        """
        if self.is_linked(target):
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


def _is_nonempty_file(path: Path) -> bool:
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


def _holds_only_links(place: Path) -> bool:
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
