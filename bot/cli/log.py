"""`glimpse log`: reading the exchanges that bots and the chat page keep."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bot.cli.context import AppContext, log_path, standard
from bot.cli.terminal import busy, print_sentence, saying_when_stopped
from bot.errors import CommandError

if TYPE_CHECKING:
    from sqlite_utils import Database

_BAR_WIDTH = 40  # characters of the longest bar
_RATED = {None: "", 0: "  👎", 1: "  👍"}
_SHOWN = (
    "at", "platform", "language", "person_hash", "number", "kind", "question", "answer",
    "confidence", "good",
    "correction", "outcome", "reference", "profile", "adapter", "sha256", "width",
    "height", "format", "seconds", "fetching", "waiting", "encoding", "decoding",
)  # fmt: skip
FOLLOW_SECONDS = 0.5  # between queries for what is new

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
def tail(app: AppContext, count: int, follow: bool, as_json: bool) -> None:
    """Show the latest exchanges."""
    from bot.log.queries import latest

    with closing(_database(app)) as db:
        rows = latest(db, count)
        _print_rows(rows, as_json)
        if not rows:
            print_sentence("The log holds nothing yet.")
        with saying_when_stopped(""):  # Ctrl-C is how this ends
            while follow:
                time.sleep(FOLLOW_SECONDS)
                new = latest(db, 100_000, rows[-1]["id"] if rows else 0)
                _print_rows(new, as_json)
                rows = new or rows


@log.command(epilog="Example: glimpse log search giraffe", short_help="Find words.")
@click.argument("words", nargs=-1, required=True)
@count_option
@json_option
@standard
@click.pass_obj
def search(app: AppContext, words: tuple[str, ...], count: int, as_json: bool) -> None:
    """Show the latest exchanges that hold all WORDS: asked, answered, or put right by people."""
    from bot.log.queries import search as find

    with closing(_database(app)) as db:
        rows = find(db, " ".join(words), count)
    _print_rows(rows, as_json)
    if not rows:
        print_sentence(f'Nothing in the log holds "{_plain(" ".join(words))}".')


@log.command(epilog="Example: glimpse log show 4f2a9c", short_help="Show all of one exchange.")
@click.argument("name")
@json_option
@standard
@click.pass_obj
def show(app: AppContext, name: str, as_json: bool) -> None:
    """Show everything about an exchange: NAME is its id, or a code that a person was told."""
    from bot.log.queries import by_name

    with closing(_database(app)) as db:
        rows = by_name(db, name)
    if not rows:
        raise CommandError(f"No exchange is called {name}.")
    for row in rows:
        click.echo(json.dumps(row, ensure_ascii=False) if as_json else exchange_details(row))


@log.command(epilog="Example: glimpse log stats --days 7", short_help="Show use in figures.")
@click.option("--days", type=click.IntRange(1, 36_500), default=30, help="[default: 30]")
@click.option(
    "--html", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path),
    help="Write them to a page instead.",
)  # fmt: skip
@json_option
@standard
@click.pass_obj
def stats(app: AppContext, days: int, html: Path | None, as_json: bool) -> None:
    """Show use by day and platform, how long people waited, ratings, failures, what was asked."""
    from bot.log.queries import stats as count

    with closing(_database(app)) as db:
        figures = count(db, days)
    if as_json:
        click.echo(json.dumps(figures, ensure_ascii=False))
    elif html:
        html.write_text(stats_page(figures), encoding="utf-8")
    else:
        click.echo("\n".join(stats_lines(figures)))


@log.command(epilog="Example: glimpse log export > log.jsonl", short_help="Print everything.")
@click.option(
    "--for-training", "folder", metavar="FOLDER", type=click.Path(file_okay=False, path_type=Path),
    help="Write what people put right instead, with their pictures, for `glimpse train feedback`.",
)  # fmt: skip
@standard
@click.pass_obj
def export(app: AppContext, folder: Path | None) -> None:
    """Print all exchanges as JSON lines, the oldest first."""
    from bot.log.queries import all_exchanges

    with closing(_database(app)) as db:
        if folder:
            left = f"Stopped; {folder} holds nothing to train on yet. Export again, or delete it."
            with saying_when_stopped(left):
                _export_for_training(app, db, folder)
            return
        with saying_when_stopped("Stopped; what was printed is not the whole log."):
            for row in all_exchanges(db):
                click.echo(json.dumps(row, ensure_ascii=False))


@log.command(epilog="Example: glimpse log key", short_help="Make a key for pictures.")
@standard
def key() -> None:
    """Print a new secret for GLIMPSE_PICTURE_KEY: people may then allow that pictures are kept."""
    from bot.log.privacy import new_key

    click.echo(new_key())


@log.command(epilog="Example: glimpse log purge --days 7", short_help="Erase what is old.")
@click.option("--days", type=click.IntRange(0, 36_500), required=True, help="0 erases all.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@standard
@click.pass_obj
def purge(app: AppContext, days: int, yes: bool) -> None:
    """Erase exchanges that are older than so many days, and what nothing is left of."""
    from datetime import UTC, datetime, timedelta

    from bot.log.privacy import Hasher
    from bot.log.schema import open_to_write, transaction
    from bot.log.store import ModelVersion, Store

    path = _path(app)
    _database(app).close()  # there is one, of this version
    if not yes:
        click.confirm(f"Erase exchanges older than {days} days from {path}?", abort=True)
    stopped = saying_when_stopped("Stopped; nothing was erased.")
    with stopped, closing(open_to_write(path)) as db, busy("Erasing"), transaction(db):
        before = datetime.now(UTC) - timedelta(days=days)
        count = Store(db, Hasher(b""), ModelVersion()).purge(before)
    click.echo(f"{count} exchanges erased")


@log.command(epilog="Example: glimpse log check", short_help="Look whether the log is sound.")
@standard
@click.pass_obj
def check(app: AppContext) -> None:
    """Look whether the database is sound, and say how much it holds."""
    from bot.log.queries import integrity_errors

    path = _path(app)
    with closing(_database(app, older=True)) as db, busy("Reading"):
        counts = {name: db.table(name).count for name in ("exchanges", "people", "ratings")}
        problems = [*integrity_errors(path)]
    for problem in problems:
        click.echo(problem)
    if problems:
        raise CommandError("The log is damaged; put it aside, and start again or from a backup.")
    held = ", ".join(f"{count} {name}" for name, count in counts.items())
    click.echo(f"{path} is sound: {held}, {path.stat().st_size / 1e6:.1f} MB")


@log.command(epilog="Example: glimpse log backup copy.db", short_help="Copy it while it is used.")
@click.argument("target", type=click.Path(dir_okay=False, path_type=Path))
@standard
@click.pass_obj
def backup(app: AppContext, target: Path) -> None:
    """Copy the log to TARGET while bots go on writing it, and read the copy back."""
    from bot.log.queries import back_up

    path = _path(app)
    _database(app, older=True).close()
    with busy("Copying"), saying_when_stopped(f"Stopped; {target} was not written."):
        count = back_up(path, target)
    click.echo(f"{count} exchanges copied to {target}")


def _export_for_training(app: AppContext, db: Database, folder: Path) -> None:
    from bot.log.privacy import PictureCipher
    from bot.log.training_export import export as write

    if not app.settings.picture_key:
        raise CommandError(
            "Pictures are kept only with GLIMPSE_PICTURE_KEY, and read with the same."
        )
    found = write(db, PictureCipher(app.settings.picture_key), folder)
    if found.unopened:
        click.echo(f"{found.unopened} pictures do not open with this key", err=True)
    if not found.pictures:
        raise CommandError(
            "There is nothing to learn from yet: nobody shares a picture with answers."
        )
    click.echo(
        f"{found.pictures} pictures with {found.texts} texts in {folder}, {found.corrected} put "
        "right. They are not encrypted: read them, train, and delete the folder.\n"
        f"Next: glimpse train feedback --data {folder} --run runs/feedback"
    )


def _path(app: AppContext) -> Path:
    path = log_path(app.settings)
    if path is None:
        raise CommandError('Nothing is kept, for GLIMPSE_LOG is "off".')
    return path


def _database(app: AppContext, *, older: bool = False) -> Database:
    from bot.log.schema import open_to_read

    return open_to_read(_path(app), older=older)


def _print_rows(rows: Sequence[dict[str, Any]], as_json: bool) -> None:
    for row in rows:
        click.echo(json.dumps(row, ensure_ascii=False) if as_json else exchange_line(row))
    sys.stdout.flush()


# --- how rows and figures are shown -----------------------------------------------------------


def exchange_line(row: dict[str, Any]) -> str:
    """One exchange in one line: when, where, what was asked, what was said."""
    when = click.style(row["at"][:19].replace("T", " "), dim=True)
    where = click.style(f"{row['platform']:8}", fg="cyan")
    asked = _plain(row["question"]) or ("(caption)" if row["kind"] == "caption" else "(message)")
    if row["outcome"] == "answered":
        told = row["confidence"]  # a chat model may tell none
        sure = "" if told is None else click.style(f"  {told:.2f}", dim=True)
        said = f"{_plain(row['answer'])}{sure}"
    else:
        code = f" {row['reference']}" if row["reference"] else ""
        said = click.style(f"{row['outcome']}{code}", fg="yellow")
    return f"{when}  {where}  {asked} → {said}{_RATED[row['good']]}"


def exchange_details(row: dict[str, Any]) -> str:
    """Everything about one exchange, a line each."""
    pairs = [(name, row[name]) for name in _SHOWN if row[name] is not None]
    return "\n".join(
        f"{name:12} {round(value, 3) if isinstance(value, float) else _plain(value)}"
        for name, value in [("id", row["id"]), *pairs]
    )


def stats_lines(figures: dict[str, Any]) -> Iterator[str]:
    """Figures as lines and bars."""
    yield (
        f"{figures['exchanges']} exchanges with {figures['people']} people in {figures['days']} "
        f"days, {figures['answered']} of them answered, {figures['good']} 👍 {figures['bad']} 👎"
    )
    if figures["confidence"] is not None:
        yield f"mean confidence {figures['confidence']:.2f}"
    for kind, waits in figures["seconds"].items():
        if waits:
            said = ", ".join(f"{name} {seconds:.2f} s" for name, seconds in waits.items())
            yield f"{kind}s took {said}"
    yield from _bars("by day and platform", figures["use"], ("day", "platform"))
    failures = [row for row in figures["outcomes"] if row["outcome"] != "answered"]
    yield from _bars("not answered", failures, ("outcome",))
    if figures["asked"]:
        yield "\nmost asked"
        yield from (f"{row['times']:7}  {_plain(row['question'])}" for row in figures["asked"])


def _bars(title: str, rows: list[dict[str, Any]], names: tuple[str, ...]) -> Iterator[str]:
    if not rows:
        return
    yield f"\n{title}"
    most = max(row["exchanges"] for row in rows)
    labels = ["  ".join(f"{row[name]:<10}" for name in names) for row in rows]
    width = max(map(len, labels))
    for label, row in zip(labels, rows, strict=True):
        bar = "█" * max(1, round(_BAR_WIDTH * row["exchanges"] / most))
        yield f"{label:{width}}  {click.style(bar, fg='cyan')} {row['exchanges']}"


def _plain(value: Any) -> str:
    """A text in one line that no terminal takes for a command."""
    return "".join(c if c.isprintable() else " " for c in str(value or ""))


def stats_page(figures: dict[str, Any]) -> str:
    """Use, waits, ratings, failures and what was asked most, as a page of HTML.

    Args:
        figures: As `bot.log.queries.stats` gives them.
    """
    from jinja2 import Environment, PackageLoader

    sure = figures["confidence"]
    totals = {
        "Exchanges": figures["exchanges"], "Answered": figures["answered"],
        "People": figures["people"], "Found good": figures["good"], "Found bad": figures["bad"],
        "Mean confidence": "none yet" if sure is None else f"{sure:.2f}",
    }  # fmt: skip
    use = [(row["day"], row["platform"], row["exchanges"]) for row in figures["use"]]
    waits = [
        (f"{kind}s", *(f"{seconds:.2f}" for seconds in found.values()))
        for kind, found in figures["seconds"].items()
        if found
    ]
    failed = [
        (row["outcome"], row["exchanges"])
        for row in figures["outcomes"]
        if row["outcome"] != "answered"
    ]
    asked = [(row["question"], row["times"]) for row in figures["asked"]]
    wait_heads = ("Answers to", "Median, seconds", "95th percentile", "99th percentile")
    tables = (  # title, heads, rows, whether the last column has bars
        ("By day and platform", ("Day", "Platform", "Exchanges"), use, True),
        ("How long people waited", wait_heads, waits, False),
        ("Not answered", ("Why", "Messages"), failed, True),
        ("Asked most", ("Question", "Times"), asked, True),
    )
    environment = Environment(
        loader=PackageLoader("bot.cli", ""), autoescape=True, trim_blocks=True
    )
    template = environment.get_template("log_stats.html.jinja")
    return template.render(days=figures["days"], totals=totals, tables=tables) + "\n"
