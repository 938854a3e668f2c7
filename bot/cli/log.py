"""`glimpse log`: reading the exchanges that bots and the chat page keep."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bot.cli.context import Desk, busy, standard
from bot.cli.failing import Failure
from bot.cli.keeping import log_path

if TYPE_CHECKING:
    from sqlite_utils import Database

FOLLOWING = 0.5  # seconds between looks for what is new

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")
count_option = click.option(
    "-n", "--count", type=click.IntRange(1, 100_000), default=20, help="How many. [default: 20]"
)


@click.group(epilog="Example: glimpse log tail", short_help="Read what was asked and answered.")
def log() -> None:
    """Read what was asked and answered, from the database that GLIMPSE_LOG names."""


@log.command(epilog="Example: glimpse log tail --follow", short_help="Show the latest exchanges.")
@count_option
@click.option("-f", "--follow", is_flag=True, help="Go on with what is new, until Ctrl-C.")
@json_option
@standard
@click.pass_obj
def tail(desk: Desk, count: int, follow: bool, as_json: bool) -> None:
    """Show the latest exchanges."""
    from bot.log.queries import latest

    with closing(_database(desk)) as db:
        rows = latest(db, count)
        _say(rows, as_json)
        while follow:
            time.sleep(FOLLOWING)
            new = latest(db, 100_000, rows[-1]["id"] if rows else 0)
            _say(new, as_json)
            rows = new or rows


@log.command(epilog="Example: glimpse log search giraffe", short_help="Find words.")
@click.argument("words", nargs=-1, required=True)
@count_option
@json_option
@standard
@click.pass_obj
def search(desk: Desk, words: tuple[str, ...], count: int, as_json: bool) -> None:
    """Show the latest exchanges whose question or answer holds all WORDS."""
    from bot.log.queries import search as find

    with closing(_database(desk)) as db:
        _say(find(db, " ".join(words), count), as_json)


@log.command(epilog="Example: glimpse log show 4f2a9c", short_help="Show all of one exchange.")
@click.argument("name")
@json_option
@standard
@click.pass_obj
def show(desk: Desk, name: str, as_json: bool) -> None:
    """Show everything about an exchange: NAME is its id, or a code that a person was told."""
    from bot.cli.log_talk import details
    from bot.log.queries import named

    with closing(_database(desk)) as db:
        rows = named(db, name)
    if not rows:
        raise Failure(f"No exchange is called {name}.")
    for row in rows:
        click.echo(json.dumps(row, ensure_ascii=False) if as_json else details(row))


@log.command(epilog="Example: glimpse log stats --days 7", short_help="Show use in figures.")
@click.option("--days", type=click.IntRange(1, 36_500), default=30, help="[default: 30]")
@click.option(
    "--html", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path),
    help="Write them to a page instead.",
)  # fmt: skip
@json_option
@standard
@click.pass_obj
def stats(desk: Desk, days: int, html: Path | None, as_json: bool) -> None:
    """Show use by day and platform, how long people waited, ratings, failures, what was asked."""
    from bot.cli.log_page import page
    from bot.cli.log_talk import stats_lines
    from bot.log.queries import stats as count

    with closing(_database(desk)) as db:
        figures = count(db, days)
    if as_json:
        click.echo(json.dumps(figures, ensure_ascii=False))
    elif html:
        html.write_text(page(figures), encoding="utf-8")
    else:
        click.echo("\n".join(stats_lines(figures)))


@log.command(epilog="Example: glimpse log export > log.jsonl", short_help="Print everything.")
@click.option(
    "--for-training", "folder", metavar="FOLDER", type=click.Path(file_okay=False, path_type=Path),
    help="Write what people put right instead, with their pictures, for `glimpse train feedback`.",
)  # fmt: skip
@standard
@click.pass_obj
def export(desk: Desk, folder: Path | None) -> None:
    """Print all exchanges as JSON lines, the oldest first."""
    from bot.log.queries import everything

    with closing(_database(desk)) as db:
        if folder:
            _export_for_training(desk, db, folder)
            return
        for row in everything(db):
            click.echo(json.dumps(row, ensure_ascii=False))


@log.command(epilog="Example: glimpse log key", short_help="Make a key for pictures.")
@standard
def key() -> None:
    """Print a new secret for GLIMPSE_PICTURE_KEY: people may then allow that pictures are kept."""
    from bot.log.pictures import new_key

    click.echo(new_key())


@log.command(epilog="Example: glimpse log purge --days 7", short_help="Erase what is old.")
@click.option("--days", type=click.IntRange(0, 36_500), required=True, help="0 erases all.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@standard
@click.pass_obj
def purge(desk: Desk, days: int, yes: bool) -> None:
    """Erase exchanges that are older than so many days, and what nothing is left of."""
    from datetime import UTC, datetime, timedelta

    from bot.log.privacy import Hasher
    from bot.log.schema import open_to_write
    from bot.log.store import Made, Store

    path = _path(desk)
    _database(desk).close()  # there is one, of this version
    if not yes:
        click.confirm(f"Erase exchanges older than {days} days from {path}?", abort=True)
    with closing(open_to_write(path)) as db, busy("Erasing"), db.atomic():
        before = datetime.now(UTC) - timedelta(days=days)
        count = Store(db, Hasher(b""), Made()).purge(before)
    click.echo(f"{count} exchanges erased")


@log.command(epilog="Example: glimpse log check", short_help="Look whether the log is sound.")
@standard
@click.pass_obj
def check(desk: Desk) -> None:
    """Look whether the database is sound, and say how much it holds."""
    from bot.log.queries import examine

    path = _path(desk)
    with closing(_database(desk)) as db, busy("Reading"):
        counts = {name: db.table(name).count for name in ("exchanges", "people", "ratings")}
        problems = [*examine(path)]
    for problem in problems:
        click.echo(problem)
    if problems:
        raise Failure("The log is damaged; put it aside, and start again or from a backup.")
    held = ", ".join(f"{count} {name}" for name, count in counts.items())
    click.echo(f"{path} is sound: {held}, {path.stat().st_size / 1e6:.1f} MB")


@log.command(epilog="Example: glimpse log backup copy.db", short_help="Copy it while it is used.")
@click.argument("target", type=click.Path(dir_okay=False, path_type=Path))
@standard
@click.pass_obj
def backup(desk: Desk, target: Path) -> None:
    """Copy the log to TARGET while bots go on writing it, and read the copy back."""
    from bot.log.queries import back_up

    path = _path(desk)
    _database(desk).close()
    with busy("Copying"):
        count = back_up(path, target)
    click.echo(f"{count} exchanges copied to {target}")


def _export_for_training(desk: Desk, db: Database, folder: Path) -> None:
    from bot.log.pictures import PictureCipher
    from bot.log.training_export import export as write

    if not desk.settings.picture_key:
        raise Failure("Pictures are kept only with GLIMPSE_PICTURE_KEY, and read with the same.")
    found = write(db, PictureCipher(desk.settings.picture_key), folder)
    if found.unopened:
        click.echo(f"{found.unopened} pictures do not open with this key", err=True)
    if not found.pictures:
        raise Failure("There is nothing to learn from yet: nobody shares a picture with answers.")
    click.echo(
        f"{found.pictures} pictures with {found.texts} texts in {folder}, {found.corrected} put "
        "right. They are not encrypted: read them, train, and delete the folder.\n"
        f"Next: glimpse train feedback --data {folder} --run runs/feedback"
    )


def _path(desk: Desk) -> Path:
    path = log_path(desk.settings)
    if path is None:
        raise Failure('Nothing is kept, for GLIMPSE_LOG is "off".')
    return path


def _database(desk: Desk) -> Database:
    from bot.log.schema import open_to_read

    return open_to_read(_path(desk))


def _say(rows: Sequence[dict[str, Any]], as_json: bool) -> None:
    from bot.cli.log_talk import line

    for row in rows:
        click.echo(json.dumps(row, ensure_ascii=False) if as_json else line(row))
    sys.stdout.flush()
