"""A log that cannot be used from the start is said in a sentence, and the bots answer anyway."""

from __future__ import annotations

import os
import signal
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from cli_runner import CliRunner, FakeEngine, free_port
from sqlite_utils import Database

from bot.cli.context import open_log
from bot.errors import LogError, LogKeyError
from bot.health import Check, Health
from bot.log import Log
from bot.log.schema import migrations, open_to_read
from bot.settings import Settings


@pytest.mark.parametrize("command", [("run",), ("run", "--no-web"), ("web",), ("telegram",)])
def test_a_log_of_a_newer_glimpse_is_refused_before_the_model_is_loaded(
    cli: CliRunner, command: tuple[str, ...]
) -> None:
    path = cli.folder / "kept.db"
    Log(path, b"a key that nobody else has").close()
    with closing(sqlite3.connect(path)) as db, db:
        db.execute(
            "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) "
            "VALUES ('glimpse', 'from_the_future', '2030-01-01')"
        )
    before = path.read_bytes()
    cli.environment |= {"GLIMPSE_PORT": str(free_port()), "GLIMPSE_TELEGRAM_TOKEN": "1:x"}
    outcome = cli.run(*command)
    assert (outcome.status, outcome.out, cli.loaded) == (1, "", [])
    assert outcome.err == (
        "The log was made by a newer Glimpse; update this one, or name another log.\n"
    )
    assert path.read_bytes() == before


def test_a_log_of_an_older_glimpse_is_brought_up_to_date_at_the_start(
    cli: CliRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = cli.folder / "kept.db"
    old = Database(path)
    migrations.apply(old, stop_before=[*migrations._migrations][1].name)
    old.execute("INSERT INTO unlogged (hash) VALUES ('ann')")
    old.conn.commit()
    old.close()
    with pytest.raises(LogError, match="older Glimpse"):
        open_to_read(path)
    assert "starting a bot brings it up to date" in cli.run("check").out

    def stop(*_args: object, **_more: object) -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    cli.environment["GLIMPSE_PORT"] = str(free_port())
    monkeypatch.setattr("bot.web.server.print", stop, raising=False)
    assert cli.run("run").status == 0
    now = open_to_read(path)
    assert [row["hash"] for row in now.table("unlogged").rows] == ["ann"]
    now.close()


def test_without_a_key_nothing_is_kept_and_that_is_said_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "file"))
    health = Health()
    with open_log(Settings(log=str(tmp_path / "log.db")), FakeEngine(), health) as recorder:
        assert recorder.days is None
        (logged,) = caplog.records
        check = health.checks()["log"]
    assert not check.ok
    assert check.detail.startswith("No exchange is kept, for the key of hashed names can be")
    assert "set GLIMPSE_LOG_KEY" in check.detail
    assert str(tmp_path) not in check.detail
    assert check.detail in logged.getMessage()
    assert not (tmp_path / "log.db").exists()


def test_a_key_that_is_none_ends_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "glimpse").mkdir()
    (tmp_path / "glimpse/log.key").write_text("short")
    with pytest.raises(LogKeyError), open_log(Settings(log=str(tmp_path / "l.db")), FakeEngine()):
        pass


def test_a_log_that_is_off_is_fine() -> None:
    health = Health()
    with open_log(Settings(log="off"), FakeEngine(), health):
        assert health.checks()["log"] == Check(True, "No exchange is kept, for GLIMPSE_LOG is off.")
