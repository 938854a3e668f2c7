"""A stand-in of `docker`, as far as the scripts in deploy/bin use it: images, one bot, one volume.

Its world is a JSON file. What it was asked is written to a list there, and a part of it can be
told to fail. The bot in it is real in one point: its `glimpse` reads and copies real log files.
It is started very often, so that it imports what takes time only where it is used.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

WORLD = Path(os.environ["FAKE_DOCKER"])


def main(arguments: list[str]) -> int:
    world = json.loads(WORLD.read_text(encoding="utf-8"))
    world["calls"].append(" ".join(arguments))
    try:
        return answer(world, arguments)
    finally:
        WORLD.write_text(json.dumps(world), encoding="utf-8")


def answer(world: dict[str, Any], arguments: list[str]) -> int:
    match arguments:
        case ["compose", "--project-directory", _, "-f", _, *rest]:
            return compose(world, rest)
        case ["compose", "version"]:
            return 0
        case ["inspect", "--format", "{{.Image}}", _]:
            print(world["running"]["image"])
        case ["inspect", "--format", "{{.RestartCount}}", _]:
            print(0 if version(world) in world["alive"] else 5)
        case ["image", "inspect", *_, name]:
            print(world["images"].get(name, ""))
            return 0 if name in world["images"] else 1
        case ["image", "ls", *_]:
            print("\n".join(name for name in world["images"] if name.startswith("glimpse:")))
        case ["image", "rm", *names]:
            for name in names:
                del world["images"][name]
        case ["image", "prune", "--force"]:
            pass
        case ["tag", old, new]:
            world["images"][new] = identity(world, old)
        case _:
            print(f"unknown: {arguments}", file=sys.stderr)
            return 125
    return 0


def compose(world: dict[str, Any], arguments: list[str]) -> int:
    named = os.environ.get("GLIMPSE_IMAGE") or world["env_image"] or "glimpse:latest"
    match arguments:
        case ["ps", "--all", "--quiet", "bot"]:
            if world["running"]:
                print("c0ffee")
        case ["build", "bot"]:
            if "build" in world["fails"]:
                print("no space left on device", file=sys.stderr)
                return 17
            if "connection" in world["fails"]:
                from signal import SIGHUP

                os.kill(os.getppid(), SIGHUP)
            commit = os.environ["COMMIT"]
            world["images"][named] = f"sha256:{commit}"
        case ["pull", "bot"]:
            if "pull" in world["fails"]:
                return 18
            world["images"][named] = world["pulled"]
        case ["up", *flags]:
            world["running"] = {"image": identity(world, named), "up": True}
            if "bot" not in flags:
                return 0
            start(world)
        case ["stop", *_]:
            world["running"]["up"] = False
        case ["logs", *_]:
            print("something is wrong")
        case ["exec", "-T", "bot", *command]:
            current = version(world)
            if not world["running"]["up"] or current not in world["alive"]:
                print("container is not running", file=sys.stderr)
                return 1
            return inside(world, current, command, {})
        case ["run", "--rm", "--no-deps", "-T", "--entrypoint", "sh", "bot", *command]:
            return shell(world, command)
        case ["run", "--rm", "--no-deps", "-T", "-e", setting, "bot", *command]:
            name, _, value = setting.partition("=")
            return inside(world, identity(world, named), ["glimpse", *command], {name: value})
        case ["run", "--rm", "--no-deps", "-T", "bot", *command]:
            return inside(world, identity(world, named), ["glimpse", *command], {})
        case _:
            print(f"unknown: {arguments}", file=sys.stderr)
            return 125
    return 0


def identity(world: dict[str, Any], name: str) -> str:
    return name if name.startswith("sha256:") else str(world["images"][name])


def version(world: dict[str, Any]) -> str:
    return str(world["running"]["image"])


def start(world: dict[str, Any]) -> None:
    """A version that changes the log does so when it starts; its `user_version` stands for it."""
    if version(world) in world["migrates"]:
        import sqlite3
        from contextlib import closing

        log = Path(world["volume"], "log.db")
        with closing(sqlite3.connect(log)) as db:
            db.execute("PRAGMA user_version = 99")


def inside(
    world: dict[str, Any], current: str, command: list[str], environment: dict[str, str]
) -> int:
    log = path_of(world, environment.get("GLIMPSE_LOG", "/data/log.db"))
    match command:
        case ["glimpse", "health"]:
            print("Glimpse is ready." if current in world["ready"] else "telegram: not connected")
            return 0 if current in world["ready"] else 1
        case ["glimpse", "health", "--live"]:
            return 0 if current in world["alive"] else 1
        case ["glimpse", "log", "check"]:
            if current not in world["migrates"] and asked(log, "user_version") == 99:
                print("The log was made by a newer Glimpse", file=sys.stderr)
                return 1
            return 0 if asked(log, "integrity_check") == "ok" else 1
        case ["glimpse", "log", "backup", target]:
            if "backup" in world["fails"]:
                print("disk full", file=sys.stderr)
                return 1
            import sqlite3
            from contextlib import closing

            with (
                closing(sqlite3.connect(log)) as db,
                closing(sqlite3.connect(path_of(world, target))) as copy,
            ):
                db.backup(copy)
            return 0
    print(f"unknown: {command}", file=sys.stderr)
    return 125


def asked(path: Path, name: str) -> Any:
    import sqlite3
    from contextlib import closing

    try:
        with closing(sqlite3.connect(path)) as db:
            return db.execute(f"PRAGMA {name}").fetchone()[0]
    except sqlite3.Error as error:
        print(error, file=sys.stderr)
        return None


def path_of(world: dict[str, Any], path: str) -> Path:
    return Path(path.replace("/data", world["volume"], 1))


def shell(world: dict[str, Any], command: list[str]) -> int:
    """What the scripts do in the volume is really done, in the folder that stands for it."""
    import subprocess

    if "read" in world["fails"] and command[1].startswith("cat "):
        return 1
    line = command[1].replace("/data", world["volume"])
    return subprocess.run(["sh", "-c", line, *command[2:]], check=False).returncode


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
