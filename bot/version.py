"""What runs: the package's version, the commit that it was made from, and the trained weights."""

from __future__ import annotations

import hashlib
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from bot.settings import profile_names

HERE = Path(__file__).parent
COMMIT = "COMMIT"  # a file that the container's build writes


@dataclass(frozen=True)
class BuildInfo:
    """What runs.

    Attributes:
        version: Of the package.
        commit: What it was made from, as a short hash; "" if unknown.
        adapter: Names the trained weights; "" if there are none.
    """

    version: str
    commit: str
    adapter: str

    def __str__(self) -> str:
        """One line for people: "0.1.0, commit 4b1920d, adapter 2f1c…"."""
        parts = {"commit": self.commit, "adapter": self.adapter}
        known = [f"{name} {value}" for name, value in parts.items() if value]
        return ", ".join([self.version or "unknown version", *known])


def build_info(profile: str) -> BuildInfo:
    """Find out what runs, with this profile: a name, or the path of a TOML file, or several."""
    try:
        found = version("glimpse")
    except PackageNotFoundError:
        found = ""
    return BuildInfo(found, _commit(), _adapter(profile))


def adapter_version(folder: Path) -> str:
    """Names an adapter by the SHA-256 of its mapper: twelve hex digits; "" if it has none."""
    try:
        with (folder / "prefix.safetensors").open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()[:12]
    except OSError:
        return ""


def _adapter(profile: str) -> str:
    from model.config import load_profile
    from model.errors import ProfileError

    for name in profile_names(profile):  # of several, one at most has been trained here as a rule
        with suppress(ProfileError):
            return adapter_version(load_profile(name).adapter_folder)
    return ""


def _commit() -> str:
    """The commit that a container was built from, or that a checkout is at."""
    try:
        return (HERE / COMMIT).read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        pass
    if not (HERE.parent / ".git").exists():
        return ""
    command = ["git", "-C", str(HERE.parent), "rev-parse", "--short", "HEAD"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=5, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
