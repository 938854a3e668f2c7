"""Many files as numbered archives of limited size, for machines that are reached piece by piece.

Each archive, `piece-0001.tar` and so on, is a plain tar file; a file that is larger than what is
left of one is cut, and its parts lie in consecutive archives. `pieces.json` beside them names the
size and SHA-256 of each, and the files in it. The same files give the same bytes. Packing that was
interrupted goes on behind the last whole archive. They may be unpacked in any order, all at once or
as they come, and `unpacked.json` in the target says which were.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from finetune.errors import TrainingError
from model.cache import sha256_of

MANIFEST = "pieces.json"
UNPACKED = "unpacked.json"
MEGABYTE = 1_000_000
BLOCK = tarfile.BLOCKSIZE
CLOSING = 2 * BLOCK  # what ends an archive
HEADERS = 3 * BLOCK  # of a member with a long name; of others one block
LONGEST_NAME = 100  # bytes, in one block
SMALLEST = 64 * BLOCK  # of a part of a file that is cut


@dataclass(frozen=True)
class Entry:
    """A file to pack.

    Attributes:
        name: Its path in the target, with slashes.
        read: Gives its content, the same at every call.
    """

    name: str
    read: Callable[[], bytes]

    @classmethod
    def of(cls, name: str, path: Path) -> Entry:
        """A file as it is on the disk."""
        return cls(name, path.read_bytes)


@dataclass(frozen=True)
class Member:
    """A file, or a part of one, in an archive.

    Attributes:
        name: Of the file.
        start: Where in the file this part begins, in bytes.
        size: Bytes of this part.
        total: Bytes of the file.
    """

    name: str
    start: int
    size: int
    total: int


@dataclass(frozen=True)
class Piece:
    """One archive.

    Attributes:
        file: Its name.
        size: In bytes.
        sha256: Of its bytes, hex.
        members: What is in it.
    """

    file: str
    size: int
    sha256: str
    members: tuple[Member, ...]


@dataclass
class Manifest:
    """What lies in a folder of archives.

    Attributes:
        of: Digest of what was asked for: the names of the files, and what decides their content.
        complete: Whether all of it is there.
        pieces: The archives.
    """

    of: str = ""
    complete: bool = False
    pieces: list[Piece] = field(default_factory=list)

    @classmethod
    def read(cls, folder: Path) -> Manifest:
        """The manifest of a folder.

        Raises:
            TrainingError: It is missing or damaged.
        """
        try:
            table = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
            pieces = [
                Piece(**{**each, "members": tuple(Member(**it) for it in each["members"])})
                for each in table["pieces"]
            ]
            return cls(str(table["of"]), bool(table["complete"]), pieces)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise TrainingError(f"The file {folder / MANIFEST} is missing or damaged.") from error

    def write(self, folder: Path) -> None:
        """Write it as a whole."""
        _write_json(folder / MANIFEST, asdict(self))


# --- packing ------------------------------------------------------------------------------------


def pack(
    entries: Sequence[Entry],
    folder: Path,
    limit: int,
    of: str = "",
    done: Callable[[Piece], None] = lambda piece: None,
) -> Manifest:
    """Write files as archives; those that are whole already are kept.

    Args:
        entries: The files, in the order in which they are packed.
        folder: Where the archives go.
        limit: The most bytes of one archive.
        of: What decides the content of the files beside their names, for what was packed before.
        done: Called with each archive that is new.

    Raises:
        TrainingError: The limit is too small, or the disk is full.
    """
    if limit < CLOSING + HEADERS + SMALLEST:
        raise TrainingError(f"A piece of {limit:,} bytes is too small to hold anything.")
    names = [entry.name for entry in entries]
    digest = hashlib.sha256(json.dumps([of, limit, names]).encode()).hexdigest()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        manifest = _whole_so_far(folder, digest)
        if not manifest.complete:
            for stale in folder.glob("piece-*.tar*"):
                if stale.name not in {piece.file for piece in manifest.pieces}:
                    stale.unlink()
            for members in _layout(entries, limit, manifest.pieces):
                piece = _write(folder, len(manifest.pieces) + 1, members)
                manifest.pieces.append(piece)
                manifest.write(folder)
                done(piece)
            manifest.complete = True
            manifest.write(folder)
    except OSError as error:
        raise TrainingError(
            f"The pieces could not be written to {folder}: is there room on the disk?"
        ) from error
    return manifest


def _whole_so_far(folder: Path, digest: str) -> Manifest:
    """The manifest up to the first archive that is missing or damaged; an empty one of others."""
    with suppress(TrainingError):
        found = Manifest.read(folder)
        if found.of == digest:
            whole: list[Piece] = []
            for piece in found.pieces:
                if not _is_whole(folder, piece):
                    break
                whole.append(piece)
            complete = found.complete and len(whole) == len(found.pieces)
            return Manifest(digest, complete, whole)
    return Manifest(digest)


def _is_whole(folder: Path, piece: Piece) -> bool:
    path = folder / piece.file
    return path.is_file() and path.stat().st_size == piece.size and sha256_of(path) == piece.sha256


def _layout(
    entries: Sequence[Entry], limit: int, pieces: Sequence[Piece]
) -> Iterator[list[tuple[Member, bytes]]]:
    """The members of each further archive with their content, file after file."""
    packed: dict[str, int] = {}
    finished: set[str] = set()
    for member in (member for piece in pieces for member in piece.members):
        packed[member.name] = member.start + member.size
        if packed[member.name] == member.total:
            finished.add(member.name)
    members: list[tuple[Member, bytes]] = []
    room = limit - CLOSING
    for entry in entries:
        if entry.name in finished:
            continue
        content, at = entry.read(), packed.get(entry.name, 0)
        while True:
            left = len(content) - at
            header = BLOCK if len(_part_name(entry.name, at).encode()) <= LONGEST_NAME else HEADERS
            most = (room - header) // BLOCK * BLOCK
            if most < min(left, SMALLEST):
                yield members
                members, room = [], limit - CLOSING
                continue
            size = min(left, most)
            part = Member(entry.name, at, size, len(content))
            members.append((part, content[at : at + size]))
            room -= header + -(-size // BLOCK) * BLOCK
            at += size
            if at == len(content):
                break
    if members:
        yield members


def _part_name(name: str, start: int) -> str:
    """What a part of a file that is cut is called in its archive."""
    return f"{name}.from-{start}"


def _write(folder: Path, number: int, members: Iterable[tuple[Member, bytes]]) -> Piece:
    """Write an archive, whole or not at all."""
    path = folder / f"piece-{number:04d}.tar"
    part = path.with_name(path.name + ".part")
    listed = []
    with part.open("wb") as file:
        with tarfile.open(fileobj=file, mode="w", format=tarfile.GNU_FORMAT) as archive:
            for member, content in members:
                whole = member.size == member.total
                info = tarfile.TarInfo(
                    member.name if whole else _part_name(member.name, member.start)
                )
                info.size, info.mode = member.size, 0o644
                archive.addfile(info, io.BytesIO(content))
                listed.append(member)
            end = archive.offset
        file.truncate(end + CLOSING)  # tarfile fills records of 10 kB, which may be over the limit
    part.replace(path)
    return Piece(path.name, path.stat().st_size, sha256_of(path), tuple(listed))


# --- unpacking ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Unpacked:
    """How far unpacking is.

    Attributes:
        done: How many archives are unpacked, now or before.
        missing: The names of those that are not there yet.
    """

    done: int
    missing: tuple[str, ...]


def unpack(folder: Path, target: Path) -> Unpacked:
    """Unpack the archives that are there; each is checked first, and none is unpacked twice.

    Args:
        folder: Holds archives and their manifest.
        target: Where their files go.

    Raises:
        TrainingError: An archive is damaged, the manifest is damaged or unfinished, or the target
            holds other files; one plain sentence.
    """
    manifest = Manifest.read(folder)
    if not manifest.complete:
        raise TrainingError(f"Packing into {folder} was interrupted; pack again to finish it.")
    known = _unpacked_before(target, manifest)
    try:
        for piece in manifest.pieces:
            if piece.file not in known and (folder / piece.file).is_file():
                _extract(folder, piece, target)
                known.append(piece.file)
                missing = [it.file for it in manifest.pieces if it.file not in known]
                table = {"of": _identity(manifest), "pieces": known, "missing": missing}
                _write_json(target / UNPACKED, table)
    except OSError as error:
        raise TrainingError(
            f"The pieces could not be unpacked to {target}: is there room on the disk?"
        ) from error
    return Unpacked(len(known), tuple(it.file for it in manifest.pieces if it.file not in known))


def check_whole(target: Path) -> None:
    """Make sure that nothing is missing in what was unpacked.

    Raises:
        TrainingError: Something is, and which archives hold it.
    """
    try:
        missing = json.loads((target / UNPACKED).read_text(encoding="utf-8"))["missing"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TrainingError(f"{target} holds nothing that was unpacked here.") from error
    if missing:
        raise TrainingError(f"{target} is not whole: {', '.join(missing)} is still to come.")


def _unpacked_before(target: Path, manifest: Manifest) -> list[str]:
    path = target / UNPACKED
    if not path.is_file():
        return []
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
        if table["of"] != _identity(manifest):
            raise TrainingError(f"{target} holds the files of other pieces; name another folder.")
        return list(table["pieces"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TrainingError(f"The file {path} is damaged; remove the folder {target}.") from error


def _identity(manifest: Manifest) -> str:
    """What tells this set of archives from any other."""
    digests = "".join(piece.sha256 for piece in manifest.pieces)
    return hashlib.sha256(digests.encode()).hexdigest()


def _extract(folder: Path, piece: Piece, target: Path) -> None:
    if not _is_whole(folder, piece):
        raise TrainingError(f"The piece {folder / piece.file} is damaged; bring it once more.")
    with tarfile.open(folder / piece.file) as archive:
        for member, info in zip(piece.members, archive, strict=True):
            path = target / _safe(member.name)
            content: Any = archive.extractfile(info)
            path.parent.mkdir(parents=True, exist_ok=True)
            # Parts may come in any order, so that each is written in its place.
            with path.open("r+b" if path.exists() else "xb") as file:
                file.truncate(member.total)
                file.seek(member.start)
                file.write(content.read())


def _safe(name: str) -> PurePosixPath:
    """A member's path, which must not lead out of the target."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts:
        raise TrainingError(f"A piece names the file {name!r}, which is outside its folder.")
    return path


def _write_json(path: Path, table: Any) -> None:
    """Write JSON, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    with part.open("w", encoding="utf-8") as file:
        json.dump(table, file)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
