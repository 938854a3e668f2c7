"""One preparation from beginning to end: nothing looks whole before it is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data.datasets.records import DataError, read_rows
from data.prepare.pictures import IMAGES, Folders
from data.prepare.tally import Tally
from data.prepare.writing import (
    Manifest,
    Report,
    Sink,
    fingerprints,
    locked,
    sentences_for_disk,
    writing,
)

Rows = Callable[[Tally], Iterable[dict[str, Any]]]
MISSING = "Pictures without a file"


def silent(title: str, done: int, total: int) -> None:
    """Report to nobody."""


@dataclass(frozen=True)
class Wish:
    """What every preparation is asked.

    Attributes:
        target: The folder to fill.
        limit: Most rows of each split, for a small try; None for all.
        strict: Refuse data that are not whole instead of warning.
        report: Called with what is being done, how much of it is done, and of how much (0: nobody
            knows).
    """

    target: Path
    limit: int | None = None
    strict: bool = False
    report: Report = silent


@dataclass(frozen=True)
class Prepared:
    """What came of a preparation.

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


@dataclass(frozen=True)
class Job:
    """A dataset to be prepared.

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
    folders: Folders
    rows: Rows
    origin: str = ""
    subfolder_key: str = ""

    def prepare(self, wish: Wish) -> Prepared:
        """Fill the folder; if it is filled from the same sources already, nothing happens.

        Raises:
            DataError: The sources are not what they should be, there is something else in the
                folder, or the disk is full. What was there before stays.
        """
        plan = self._plan(wish)
        with sentences_for_disk(wish.target), locked(wish.target):
            manifest = Manifest.of(wish.target, self.name)
            if manifest.still_true(plan, self.file) and self.folders.linked(wish.target):
                counts, warnings = manifest.values["counts"], tuple(manifest.values["warnings"])
                if not (wish.strict and warnings) and all_there(wish.target, self.file):
                    return Prepared(wish.target, counts, warnings, True)
            self.folders.check_place(wish.target, manifest.ours)
            manifest.check_free(self.file, self.sources)
            return self._write(wish, plan, manifest)

    def _plan(self, wish: Wish) -> dict[str, Any]:
        """Everything that decides the outcome; made before anything is written."""
        return {
            "name": self.name,
            "sources": fingerprints(self.sources, wish.report),
            "images": {name: str(folder) for name, folder in self.folders.entries.items()},
            "origin": self.origin,
            "limit": wish.limit,
        }

    def _write(self, wish: Wish, plan: dict[str, Any], manifest: Manifest) -> Prepared:
        tally = Tally(self.unit, wish.limit)
        manifest.begin(plan)
        try:
            with writing(wish.target / self.file) as sink:
                for row in self._found(tally):
                    sink.write(row)
                warnings = judged(tally, wish)
                manifest.stage(outcome(plan, tally, warnings, [sink]))
        except BaseException:
            if not (self.folders.saved and (wish.target / IMAGES).exists()):
                manifest.abandon()  # else what was fetched serves the next try
            raise
        manifest.open_up()  # from here to `finish`, the folder is not whole
        sink.publish()
        self.folders.link(wish.target)
        manifest.finish()
        return Prepared(wish.target, tally.counts(), tuple(warnings))

    def _found(self, tally: Tally) -> Iterator[dict[str, Any]]:
        """The rows whose pictures are there, with where they are."""
        missing = set()
        for row in self.rows(tally):
            if tally.full(row["split"]):
                continue
            name = row["image"]
            place = self.folders.find(name, row[self.subfolder_key] if self.subfolder_key else "")
            if place is not None:
                tally.take(row["split"], place)
                yield {**row, "image": place}
            elif name not in missing:
                missing.add(name)
                tally.note(MISSING, name)


def all_there(target: Path, file: str) -> bool:
    """Whether every picture that rows are about is still a file."""
    images = {str(row["image"]) for row in read_rows(target / file)}
    return all((target / IMAGES / image).is_file() for image in images)


def judged(tally: Tally, wish: Wish) -> list[str]:
    """What is to be warned of.

    Raises:
        DataError: There is nothing, or less than everything and the wish is strict.
    """
    problems, totals = tally.problems(), tally.wrong_totals()
    if not tally.total:
        causes = [f"{cause[:1].lower()}{cause[1:].rstrip('.')}" for cause in problems]
        raise DataError("; ".join([f"No {tally.unit} could be prepared", *causes]) + ".")
    serious = problems if wish.limit else [*problems, *totals]
    if wish.strict and serious:
        raise DataError(serious[0])
    return [*problems, *totals]


def outcome(
    plan: dict[str, Any], tally: Tally, warnings: Sequence[str], sinks: Sequence[Sink]
) -> dict[str, Any]:
    """What a manifest says of files that are written, which are brought to the disk."""
    return {
        "plan": plan,
        "files": {sink.path.name: sink.digest() for sink in sinks},
        "counts": tally.counts(),
        "expected": tally.expected,
        "problems": tally.notes(),
        "warnings": list(warnings),
    }
