"""A server as the scripts in deploy/bin find it: a clone, a log, and a stand-in of docker."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
FAKE = Path(__file__).with_name("fake_docker.py")
GIT = {
    "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@example.org", "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@example.org",
}  # fmt: skip


class Server:
    """One in `folder`; its log holds `words`, which tell one log from another."""

    def __init__(self, folder: Path) -> None:
        self.origin, self.clone = folder / "origin", folder / "clone"
        self.state, self.volume = folder / "state", folder / "volume"
        self.root, self.programs = folder / "root", folder / "programs"
        self._world = folder / "world.json"
        for each in (self.state, self.volume, self.programs):
            each.mkdir()
        self.stub("docker", f'exec "{sys.executable}" -IS "{FAKE}" "$@"')
        self.stub("sleep", "exit 0")
        self._make_origin()
        self.git(folder, "clone", "--quiet", self.origin, self.clone)
        (self.clone / "deploy/.env").write_text("GLIMPSE_LOG_KEY=k\n", encoding="utf-8")
        self.old = self.short()
        old = f"sha256:{self.old}"
        self.change(
            images={"glimpse:latest": old, f"glimpse:{self.old}": old},
            running={"image": old, "up": True},
            volume=str(self.volume), ready=[old], alive=[old], migrates=[], fails=[], calls=[],
            env_image="", pulled="",
        )  # fmt: skip
        self.write("before")

    def _make_origin(self) -> None:
        self.origin.mkdir()
        ignored = shutil.ignore_patterns(".env")
        shutil.copytree(ROOT / "deploy", self.origin / "deploy", ignore=ignored)
        (self.origin / ".gitignore").write_text("deploy/.env\n", encoding="utf-8")
        self.git(self.origin, "init", "--quiet", "--initial-branch=main")
        self.commit("first")

    def stub(self, name: str, line: str) -> None:
        program = self.programs / name
        program.write_text(f"#!/bin/sh\n{line}\n", encoding="utf-8")
        program.chmod(0o755)

    def git(self, folder: Path, *arguments: str | Path) -> str:
        return subprocess.run(
            ["git", "-C", folder, *arguments],
            env=os.environ | GIT, check=True, capture_output=True, text=True,
        ).stdout.strip()  # fmt: skip

    def commit(self, name: str) -> str:
        """Make a new version; gives the short name of its commit."""
        (self.origin / "version").write_text(name, encoding="utf-8")
        self.git(self.origin, "add", "--all")
        self.git(self.origin, "commit", "--quiet", "--message", name)
        return self.git(self.origin, "rev-parse", "--short", "HEAD")

    def publish(self, *, ready: bool, migrates: bool = False, alive: bool = True) -> str:
        """Make a new version, which behaves as is said; gives its commit's short name."""
        short = self.commit("second")
        image, world = f"sha256:{short}", self.world
        self.change(
            ready=world["ready"] + [image] * ready,
            alive=world["alive"] + [image] * alive,
            migrates=[image] * migrates,
        )
        return short

    @property
    def world(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self._world.read_text(encoding="utf-8"))
        return found

    def change(self, **values: Any) -> None:
        known = self.world if self._world.exists() else {}
        self._world.write_text(json.dumps(known | values), encoding="utf-8")

    def run(self, name: str, *arguments: str | Path, answer: str = "") -> tuple[int, str]:
        """Run a script; gives its exit status and what it said."""
        done = subprocess.run(
            [self.clone / "deploy/bin" / name, *arguments],
            env=os.environ | GIT | {
                "PATH": f"{self.programs}:{os.environ['PATH']}", "FAKE_DOCKER": str(self._world),
                "STATE_DIR": str(self.state), "ROOT_DIR": str(self.root), "TRIES": "2",
            },
            input=answer, capture_output=True, text=True, check=False,
        )  # fmt: skip
        return done.returncode, done.stdout + done.stderr

    def running(self) -> str:
        """The version that runs, or ""."""
        world = self.world
        return (
            str(world["running"]["image"]).removeprefix("sha256:") if world["running"]["up"] else ""
        )

    def short(self) -> str:
        return self.git(self.clone, "rev-parse", "--short", "HEAD")

    def write(self, words: str, path: Path | None = None) -> None:
        with closing(sqlite3.connect(path or self.volume / "log.db")) as db, db:
            db.execute("CREATE TABLE IF NOT EXISTS words (word TEXT)")
            db.execute("INSERT INTO words VALUES (?)", [words])

    def words(self, path: Path | None = None) -> list[str]:
        with closing(sqlite3.connect(path or self.volume / "log.db")) as db:
            return [word for (word,) in db.execute("SELECT word FROM words ORDER BY rowid")]

    def copies(self) -> list[Path]:
        return sorted((self.state / "backups").glob("*.db"))
