"""What an operator is told, from the start on, and what commands leave alone."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest
from cli_runner import CliRunner, Outcome
from engine_stand_in import StandIn
from fake_discord import TOKEN as DISCORD_TOKEN
from fake_discord import FakeDiscord
from log_helpers import KEY, damage, opened, record, rows, until

from bot.assistant.assistant import Assistant
from bot.assistant.types import Rating
from bot.cli import context
from bot.cli.main import INTERRUPTED
from bot.cli.serve import all_parts
from bot.errors import LogError, PlatformError, SettingsError
from bot.health import Health
from bot.log import Log
from bot.log.schema import open_to_write
from bot.platforms import run_together
from bot.settings import Settings, load_settings


def database(path: Path, sql: str = "CREATE TABLE bookmarks (url TEXT)") -> Path:
    with closing(sqlite3.connect(path)) as db:
        db.executescript(sql)
    return path


def unusable(folder: Path, kind: str) -> Path:
    """Something that is no log, and must stay as it is."""
    path = folder / kind
    if kind == "folder":
        path.mkdir(mode=0o755)
    elif kind == "text":
        path.write_text("notes\n")
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "program's":
        database(path)
    elif kind == "below a file":
        (folder / "file").write_text("")
        return folder / "file/log.db"
    return path


def contents(folder: Path) -> dict[str, bytes]:
    """What its files hold, but for what SQLite notes of who reads."""
    files = [each for each in folder.iterdir() if each.is_file() and each.suffix != ".db-shm"]
    return {each.name: each.read_bytes() for each in files}


def serve(cli: CliRunner, path: Path, monkeypatch: pytest.MonkeyPatch) -> Outcome:
    """`glimpse web` that is stopped as soon as it is ready."""
    cli.environment |= {"GLIMPSE_LOG": str(path), "GLIMPSE_PORT": "0"}

    def stop(*_args: object, **_more: object) -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr("bot.web.server.print", stop, raising=False)
    monkeypatch.setattr("bot.log.writer.RETRIES", (0.01,))
    return cli.run("web")


@pytest.mark.parametrize("kind", ["folder", "text", "fifo", "program's", "below a file"])
def test_a_log_that_cannot_be_used_is_said_once_before_the_model_is_loaded(
    cli: CliRunner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    path = unusable(tmp_path, kind)
    before = path.stat() if kind != "below a file" else None
    outcome = serve(cli, path, monkeypatch)
    first, loading, *later = outcome.err.splitlines()
    assert first.startswith("The log cannot be written: ")
    assert first.endswith(" Exchanges are held until then.")
    assert loading.startswith("Loading the model")
    assert len([line for line in later if "held until then" in line]) == 0
    assert outcome.status == 0
    if before:
        now = path.stat()
        assert (now.st_mode, now.st_size) == (before.st_mode, before.st_size)
        assert not path.with_name(path.name + "-wal").exists()


@pytest.mark.parametrize("kind", ["folder", "text", "fifo", "program's", "below a file"])
def test_check_and_every_command_of_the_log_say_so_and_change_nothing(
    cli: CliRunner, tmp_path: Path, kind: str
) -> None:
    path = unusable(tmp_path, kind)
    cli.environment["GLIMPSE_LOG"] = str(path)
    checks = json.loads(cli.run("check", "--json").out)["checks"]
    (told,) = [each for each in checks if each["name"] == "log"]
    assert told["state"] == "problem"
    assert "cannot be written" in told["detail"]
    for command in (["tail"], ["check"], ["purge", "--days", "0", "--yes"], ["export"]):
        outcome = cli.run("log", *command)
        assert outcome.status == 1
        assert len(outcome.err.splitlines()) == 1
        assert "inside Glimpse" not in outcome.err
    if kind == "text":
        assert path.read_text() == "notes\n"


def test_a_device_keeps_its_rights() -> None:
    before = stat.S_IMODE(Path(os.devnull).stat().st_mode)
    with pytest.raises(LogError, match=r"no ordinary file; .* off"):
        open_to_write(Path(os.devnull))
    assert stat.S_IMODE(Path(os.devnull).stat().st_mode) == before


def test_bad_keys_are_found_before_the_model_is_loaded_and_by_check(cli: CliRunner) -> None:
    cli.environment["GLIMPSE_PICTURE_KEY"] = "abc"
    checks = json.loads(cli.run("check", "--json").out)["checks"]
    assert [each["state"] for each in checks if each["name"] == "log"] == ["problem"]
    outcome = cli.run("web", "--port", "0")
    assert (outcome.status, cli.loaded) == (1, [])
    assert outcome.err.startswith("GLIMPSE_PICTURE_KEY has to be a key")


@pytest.mark.parametrize(
    "key", ["/etc/glimpse.key", "~/log.key", "./log.key", "../keys/log", "C:\\keys\\log.key"]
)
def test_the_path_of_a_key_is_not_taken_for_the_key(key: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="the path of its file goes into GLIMPSE_LOG_KEY_FILE"):
        load_settings({"GLIMPSE_LOG_KEY": key})
    in_base64 = "/" + "Ab+/" * 10 + "A="  # one in 64 keys begins so
    assert load_settings({"GLIMPSE_LOG_KEY": in_base64}).log_key == in_base64
    (tmp_path / "key").write_text("k")
    with pytest.raises(SettingsError):
        load_settings({"GLIMPSE_LOG_KEY": str(tmp_path / "key")})


def test_a_named_file_holds_the_key(cli: CliRunner, tmp_path: Path) -> None:
    place = tmp_path / "secrets/key"
    settings = Settings(log=str(tmp_path / "log.db"), log_key_file=str(place))
    assert context.key_path(settings) == place
    with context.open_log(settings, cli.engine):
        assert len(place.read_bytes()) == 64
    place.write_text("short")
    cli.environment = {"GLIMPSE_LOG": str(tmp_path / "log.db"), "GLIMPSE_LOG_KEY_FILE": str(place)}
    outcome = cli.run("web", "--port", "0")
    assert (outcome.status, cli.loaded) == (1, [])
    assert outcome.err == f"The file {place} holds no key; put the old one back, or remove it.\n"


@pytest.mark.parametrize("answer", [b"n\n", b""])
def test_what_is_not_confirmed_is_not_done_and_that_is_said(cli: CliRunner, answer: bytes) -> None:
    with opened(Path(cli.environment["GLIMPSE_LOG"])) as log:
        log.record(record(1)).result(5)
    outcome = cli.run("log", "purge", "--days", "0", stdin=answer)
    assert outcome.status == 1
    assert outcome.err.startswith("Nothing was changed, for ")
    assert ("--yes" in outcome.err) is (not answer)
    assert len(cli.run("log", "tail", "--json").rows) == 1


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_closed_stream_is_an_empty_one(cli: CliRunner, closed: str) -> None:
    with opened(Path(cli.environment["GLIMPSE_LOG"])) as log:
        log.record(record(1)).result(5)
    environment = {**os.environ, **cli.environment}
    line = f'"$0" -P -m bot.cli log purge --days 3 --yes {closed}'
    done = subprocess.run(
        ["sh", "-c", line, sys.executable], env=environment, capture_output=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize("kind", ["text", "program's", "part", "beside", "missing"])
def test_a_copy_of_the_log_replaces_only_a_copy_of_the_log(
    cli: CliRunner, tmp_path: Path, kind: str
) -> None:
    path = Path(cli.environment["GLIMPSE_LOG"])
    with opened(path) as log:
        log.record(record(1)).result(5)
        target = tmp_path / "copy.db"
        if kind == "part":
            (tmp_path / "copy.db.part").write_text("mine")
        elif kind == "beside":
            target = path.with_name(path.name + "-wal")
        elif kind == "missing":
            target = tmp_path / "none/copy.db"
        else:
            target = unusable(tmp_path, kind)
        held = contents(tmp_path)
        outcome = cli.run("log", "backup", str(target))
        assert (outcome.status, len(outcome.err.splitlines())) == (1, 1)
        assert "inside Glimpse" not in outcome.err
        assert contents(tmp_path) == held
    for _ in range(2):
        assert cli.run("log", "backup", str(tmp_path / "good.db")).status == 0


def test_what_people_put_right_is_found_and_nothing_found_is_said(cli: CliRunner) -> None:
    with opened(Path(cli.environment["GLIMPSE_LOG"])) as log:
        log.record(record(1))
        log.record(record(2))
        log.rate(
            Rating("telegram", "ann", record(2).number, good=False, correction="An Élan, no cat")
        ).result(5)
    (found,) = cli.run("log", "search", "elan", "number", "--json").rows
    assert found["number"] == record(2).number
    assert len(cli.run("log", "search", "giraffe", "--json").rows) == 2
    nothing = cli.run("log", "search", "ca")
    assert (nothing.status, nothing.out) == (0, "")
    assert nothing.err == 'Nothing in the log holds "ca".\n'


def test_a_foreseen_error_has_no_traceback_unless_one_asks_for_it(
    cli: CliRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refused(_stopped: asyncio.Event) -> None:
        raise PlatformError("Telegram does not know this token.") from ValueError("a cause")

    monkeypatch.setattr("bot.cli.serve.all_parts", lambda *_args: [refused])
    outcome = cli.run("run")
    assert outcome.status == 1
    assert outcome.err.splitlines()[1:] == ["Telegram does not know this token."]
    assert "a cause" in cli.run("run", "--verbose").err


@pytest.mark.parametrize("token", ["wrong", "a\nb", "ung\u00fcltig", "a b", "\x00"])
async def test_no_discord_token_stops_the_others(
    token: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    stopped, health = asyncio.Event(), Health()
    async with FakeDiscord().running(monkeypatch):
        settings = Settings(port=0, discord_token=token)
        parts = [*all_parts(settings, Assistant(StandIn()), health, web=True)]
        task = asyncio.ensure_future(run_together(parts, stopped))
        async with asyncio.timeout(20):
            while not health.checks()["discord"].detail.startswith(("Discord", "It has ended")):
                await asyncio.sleep(0.01)
        assert health.checks()["web"].ok
        assert not task.done()
        stopped.set()
        await task
    assert len([each for each in caplog.records if each.name == "bot.platforms"]) == 1


def test_two_processes_write_one_log_and_neither_complains(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Two that write without a pause may wait longer where the disk is slow.
    monkeypatch.setattr("bot.log.schema.BUSY_SECONDS", 20.0)
    path = tmp_path / "log.db"
    logs = [Log(path, KEY) for _ in range(2)]  # each has a connection and a thread of its own

    def fill(log: Log, start: int) -> None:
        for number in range(start, start + 300):
            log.record(record(number)).result(20)

    threads = [
        threading.Thread(target=fill, args=[log, 1000 * place]) for place, log in enumerate(logs)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for log in logs:
        log.close()
    assert rows(path, "SELECT count(*) FROM exchanges") == [(600,)]
    assert [each.getMessage() for each in caplog.records] == []


FIRST_LOG = """
    CREATE TABLE people (id INTEGER PRIMARY KEY, hash TEXT NOT NULL, platform TEXT NOT NULL,
        first_seen TEXT NOT NULL, last_seen TEXT NOT NULL, language TEXT, speaks TEXT,
        logged INTEGER NOT NULL DEFAULT 1) STRICT;
    CREATE UNIQUE INDEX idx_people_hash ON people (hash);
    CREATE TABLE chats (id INTEGER PRIMARY KEY, hash TEXT NOT NULL, platform TEXT NOT NULL,
        first_seen TEXT NOT NULL, last_seen TEXT NOT NULL) STRICT;
    CREATE UNIQUE INDEX idx_chats_hash ON chats (hash);
    CREATE TABLE pictures (id INTEGER PRIMARY KEY, sha256 TEXT NOT NULL, width INTEGER NOT NULL,
        height INTEGER NOT NULL, format TEXT NOT NULL) STRICT;
    CREATE UNIQUE INDEX idx_pictures_sha256 ON pictures (sha256);
    CREATE TABLE exchanges (id INTEGER PRIMARY KEY, at TEXT NOT NULL, number TEXT NOT NULL,
        place INTEGER NOT NULL, person INTEGER NOT NULL REFERENCES people(id),
        chat INTEGER NOT NULL REFERENCES chats(id), platform TEXT,
        picture INTEGER REFERENCES pictures(id), kind TEXT NOT NULL, question TEXT, answer TEXT,
        confidence REAL, outcome TEXT NOT NULL, reference TEXT, profile TEXT, adapter TEXT,
        seconds REAL, fetching REAL, waiting REAL, encoding REAL, decoding REAL) STRICT;
    CREATE UNIQUE INDEX idx_exchanges_number_place ON exchanges (number, place);
    CREATE INDEX idx_exchanges_kind_at_seconds ON exchanges (kind, at, seconds);
    CREATE VIRTUAL TABLE exchanges_fts USING FTS5 (question, answer,
        tokenize='unicode61 remove_diacritics 2', content='exchanges', content_rowid='id');
    CREATE TABLE ratings (id INTEGER PRIMARY KEY, at TEXT NOT NULL, number TEXT NOT NULL,
        person INTEGER NOT NULL REFERENCES people(id), good INTEGER, correction TEXT) STRICT;
    CREATE UNIQUE INDEX idx_ratings_number_person ON ratings (number, person);
    CREATE TABLE _sqlite_migrations (id INTEGER PRIMARY KEY, migration_set TEXT, name TEXT,
        applied_at TEXT);
    INSERT INTO _sqlite_migrations (migration_set, name, applied_at)
        VALUES ('glimpse', 'people_pictures_exchanges_ratings', '2026-11-22');
    INSERT INTO people (hash, platform, first_seen, last_seen, speaks, logged)
        VALUES ('a', 'web', '', '', 'de', 1), ('b', 'web', '', '', '', 0);
"""


def test_a_log_of_the_first_commit_is_copied_as_it_is_and_then_written(
    cli: CliRunner, tmp_path: Path
) -> None:
    path = database(Path(cli.environment["GLIMPSE_LOG"]), FIRST_LOG)
    assert cli.run("log", "backup", str(tmp_path / "before.db")).status == 0
    assert cli.run("log", "check").status == 0
    assert "older Glimpse" in cli.run("log", "tail").err
    with opened(path) as log:
        log.record(record(1)).result(5)
        until(lambda: log.writer.written)
    assert rows(path, "SELECT hash FROM unlogged") == [("b",)]
    assert rows(path, "SELECT hash, language FROM choices") == [("a", "de")]
    assert rows(tmp_path / "before.db", "SELECT count(*) FROM people") == [(2,)]
    assert len(cli.run("log", "tail", "--json").rows) == 1


def test_a_damaged_or_a_held_log_is_one_sentence(
    cli: CliRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.log.schema.BUSY_SECONDS", 0.05)
    path = Path(cli.environment["GLIMPSE_LOG"])
    with opened(path) as log:
        log.record(record(1)).result(5)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        held = cli.run("log", "purge", "--days", "0", "--yes")
    assert (held.status, held.err) == (1, "Another program holds the log; try again.\n")
    damage(path)
    for command in ("tail", "check", "export"):
        outcome = cli.run("log", command)
        assert (outcome.status, outcome.out) == (1, "")
        assert outcome.err.startswith("The log is damaged; put it aside")


def test_a_damaged_log_of_ours_is_still_put_aside(cli: CliRunner) -> None:
    path = Path(cli.environment["GLIMPSE_LOG"])
    with opened(path) as log:
        log.record(record(1)).result(5)
    damage(path)
    with opened(path) as log:
        log.record(record(2)).result(5)
    assert len([*path.parent.glob("*.damaged-*")]) >= 1


def test_commands_offline_are_not_taken_for_refused(
    cli: CliRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_args: object) -> None:
        raise OSError("no network")

    monkeypatch.setattr("discord.Client.login", away)
    cli.environment["GLIMPSE_DISCORD_TOKEN"] = DISCORD_TOKEN
    outcome = cli.run("discord", "--sync")
    assert outcome.err == "Discord cannot be reached; look after the network.\n"


def test_ctrl_c_at_a_question_is_ctrl_c(cli: CliRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(Path(cli.environment["GLIMPSE_LOG"])) as log:
        log.record(record(1)).result(5)

    def interrupted(_prompt: str = "") -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr("click.termui.visible_prompt_func", interrupted)
    outcome = cli.run("log", "purge", "--days", "0")
    assert outcome.status == INTERRUPTED
