"""Fills a dataset's folder from its sources, so that nothing looks complete before it is.

A folder holds JSON lines as `data.datasets.records` reads them, `images` (links to the folders
that were given), and `dataset.json`, the manifest, which is written last: with counts and where
everything came from.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data.datasets.manifest import (
    Manifest,
    disk_errors_as_sentences,
    json_lines_writer,
    lock_folder,
)
from data.datasets.records import read_rows
from data.datasets.sources import IMAGES, ImageFolders, Progress, fingerprints, no_progress
from data.errors import DataError

MISSING = "Pictures without a file"
_EXAMPLES = 3


@dataclass(frozen=True)
class BuildOptions:
    """What every dataset may be asked for.

    Attributes:
        target: The folder to fill.
        limit: Most rows of each split, for a small try; None for all.
        strict: Refuse data that are not whole instead of warning.
        progress: Called as the dataset is read and written.
    """

    target: Path
    limit: int | None = None
    strict: bool = False
    progress: Progress = no_progress


@dataclass(frozen=True)
class BuildResult:
    """A dataset that was built.

    Attributes:
        folder: The folder that was filled.
        counts: Rows and pictures of each split.
        warnings: What is missing or odd, in sentences.
        unchanged: Whether all was there already.
    """

    folder: Path
    counts: dict[str, dict[str, int]]
    warnings: tuple[str, ...]
    unchanged: bool = False


class BuildStatistics:
    """Counts rows and pictures of each split, and what is wrong with the data.

    Args:
        unit: What a row is about, for sentences: "pictures" or "questions".
        limit: Most rows of each split; None for all.
    """

    def __init__(self, unit: str, limit: int | None = None) -> None:
        self.unit = unit
        self.limit = limit
        self.expected: dict[str, int] = {}
        self._rows: dict[str, int] = {}
        self._pictures: dict[str, set[str]] = {}
        self._problems: dict[str, tuple[int, list[str]]] = {}

    def expect(self, totals: Mapping[str, int]) -> None:
        """Say how many rows each split should have."""
        self.expected.update(totals)

    def add_problem(self, what: str, example: object) -> None:
        """Count something that is wrong, such as "Duplicate question ids", with an example."""
        count, examples = self._problems.get(what, (0, []))
        if count < _EXAMPLES:
            text = str(example)[:80]  # and safe to show on a terminal
            examples = [*examples, "".join(c if c.isprintable() else "?" for c in text)]
        self._problems[what] = (count + 1, examples)

    def add_row(self, split: str, picture: str) -> None:
        """Count a row that was written."""
        self._rows[split] = self._rows.get(split, 0) + 1
        self._pictures.setdefault(split, set()).add(picture)

    def is_full(self, split: str) -> bool:
        """Whether no more rows of a split are wanted."""
        return self.limit is not None and self._rows.get(split, 0) >= self.limit

    def counts(self) -> dict[str, dict[str, int]]:
        """Rows and pictures of each split."""
        return {
            split: {"rows": rows, "pictures": len(self._pictures[split])}
            for split, rows in sorted(self._rows.items())
        }

    def problems(self) -> dict[str, dict[str, Any]]:
        """What was wrong, each with how many and the first three."""
        return {what: {"count": n, "first": first} for what, (n, first) in self._problems.items()}

    def warnings(self, strict: bool) -> list[str]:
        """What is to be warned of, in sentences.

        Raises:
            DataError: There are no rows, or fewer than there should be and `strict` is set.
        """
        problems = [
            f"{what}: {count:,} ({', '.join(first)}{', …' if count > len(first) else ''})."
            for what, (count, first) in self._problems.items()
        ]
        if not self._rows:
            causes = [f"{cause[:1].lower()}{cause[1:].rstrip('.')}" for cause in problems]
            raise DataError("; ".join([f"No {self.unit} could be prepared", *causes]) + ".")
        found = {split: self._rows.get(split, 0) for split in self.expected}
        totals = [
            f"Expected {wanted:,} {self.unit} in the split {split!r}, found {found[split]:,}."
            for split, wanted in self.expected.items()
            if found[split] != wanted
        ]
        serious = problems if self.limit else [*problems, *totals]
        if strict and serious:
            raise DataError(serious[0])
        return [*problems, *totals]


Rows = Callable[[BuildStatistics], Iterable[dict[str, Any]]]


@dataclass(frozen=True)
class DatasetBuilder:
    """A dataset that can be built.

    Attributes:
        name: Of the dataset.
        file: Name of the JSON lines file to write.
        unit: What one row is about: "pictures" or "questions".
        sources: Files that it is made from.
        folders: Where the pictures are.
        rows: Reads the rows; each has `image` (a name to be looked up) and `split`.
        origin: What it is made from if not from files, such as a dataset on the hub.
        subfolder_key: Key of the rows that names a subfolder their pictures may be in.
    """

    name: str
    file: str
    unit: str
    sources: tuple[Path, ...]
    folders: ImageFolders
    rows: Rows
    origin: str = ""
    subfolder_key: str = ""

    def build(self, options: BuildOptions) -> BuildResult:
        """Fill the folder; if it is filled from the same sources already, nothing happens.

        Raises:
            DataError: The sources are not what they should be, there is something else in the
                folder, or the disk is full. What was there before stays.
        """
        target = options.target
        plan = {  # everything that decides the outcome
            "name": self.name,
            "sources": fingerprints(self.sources, options.progress),
            "images": {name: str(folder) for name, folder in self.folders.entries.items()},
            "origin": self.origin,
            "limit": options.limit,
        }
        with disk_errors_as_sentences(target), lock_folder(target):
            manifest = Manifest.read(target, self.name)
            if manifest.is_current(plan, self.file) and self.folders.is_linked(target):
                result = unchanged_result(manifest, self.file)
                if result and not (options.strict and result.warnings):
                    return result
            self.folders.check_free(target, manifest.is_ours)
            manifest.check_free(self.file, self.sources)
            statistics = BuildStatistics(self.unit, options.limit)
            rows = ((row,) for row in self._rows_with_pictures(statistics))
            return write_dataset(
                options,
                manifest,
                rows,
                plan=plan,
                statistics=statistics,
                files=(self.file,),
                folders=self.folders,
            )

    def _rows_with_pictures(self, statistics: BuildStatistics) -> Iterator[dict[str, Any]]:
        """The rows whose pictures are there, with where they are."""
        missing = set()
        for row in self.rows(statistics):
            if statistics.is_full(row["split"]):
                continue
            name = row["image"]
            place = self.folders.find(name, row[self.subfolder_key] if self.subfolder_key else "")
            if place is not None:
                statistics.add_row(row["split"], place)
                yield {**row, "image": place}
            elif name not in missing:
                missing.add(name)
                statistics.add_problem(MISSING, name)


def unchanged_result(manifest: Manifest, file: str) -> BuildResult | None:
    """What a manifest that is current says, if every picture of the file's rows is still there."""
    folder = manifest.path.parent
    images = {str(row["image"]) for row in read_rows(folder / file)}
    if not all((folder / IMAGES / image).is_file() for image in images):
        return None
    return BuildResult(folder, manifest.values["counts"], tuple(manifest.values["warnings"]), True)


def write_dataset(
    options: BuildOptions,
    manifest: Manifest,
    rows: Iterable[tuple[dict[str, Any], ...]],
    *,
    plan: dict[str, Any],
    statistics: BuildStatistics,
    files: Sequence[str],
    folders: ImageFolders | None = None,
) -> BuildResult:
    """Write JSON lines and their manifest into a folder that is locked.

    Args:
        options: Where to, and how.
        manifest: Of the folder.
        rows: A row of each file.
        plan: Everything that decides the outcome.
        statistics: Of the rows, as these are read.
        files: Names of the files.
        folders: Pictures to be linked; None if they are there already.

    Raises:
        DataError: As `BuildStatistics.warnings`.
        OSError: Something cannot be written.
    """
    manifest.begin(plan)
    try:
        with ExitStack() as stack:
            writers = [
                stack.enter_context(json_lines_writer(options.target / file)) for file in files
            ]
            for row in rows:
                for writer, values in zip(writers, row, strict=True):
                    writer.write(values)
            warnings = statistics.warnings(options.strict)
            manifest.stage(
                {
                    "plan": plan,
                    "files": {writer.path.name: writer.digest() for writer in writers},
                    "counts": statistics.counts(),
                    "expected": statistics.expected,
                    "problems": statistics.problems(),
                    "warnings": warnings,
                }
            )
    except BaseException:
        if not (folders and folders.saved and (options.target / IMAGES).exists()):
            manifest.abandon()  # else what was fetched serves the next try
        raise
    manifest.invalidate()  # from here to `commit`, the folder is not whole
    for writer in writers:
        writer.publish()
    if folders:
        folders.link(options.target)
    manifest.commit()
    return BuildResult(options.target, statistics.counts(), tuple(warnings))
