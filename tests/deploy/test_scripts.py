"""The scripts in deploy/bin, against a stand-in of docker: whatever fails, a version runs."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from deployed_server import Server

pytestmark = pytest.mark.skipif(
    not (shutil.which("git") and shutil.which("flock")), reason="git or flock is not installed"
)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    made = Server(tmp_path)
    yield made
    left = [path.name for path in made.volume.iterdir() if "copy" in path.name]
    assert left == []  # no copy is forgotten in the volume


# --- updating --------------------------------------------------------------------------------


def test_an_update_builds_copies_the_log_and_switches(server: Server) -> None:
    new = server.publish(ready=True)
    status, said = server.run("glimpse-update")
    assert (status, server.running(), server.short()) == (0, new, new), said
    assert f"Glimpse {new} runs" in said
    (copy,) = server.copies()
    assert server.words(copy) == ["before"]
    assert copy.stat().st_mode & 0o077 == 0
    calls = server.world["calls"]
    built, copied, switched = (
        next(number for number, call in enumerate(calls) if part in call)
        for part in (" build bot", " log backup ", " up --detach")
    )
    assert built < copied < switched
    assert server.world["images"]["glimpse:previous"] == f"sha256:{server.old}"


def test_nothing_happens_where_there_is_nothing_new(server: Server) -> None:
    status, said = server.run("glimpse-update")
    assert status == 0
    assert "newest version already" in said
    assert not any(" up " in call for call in server.world["calls"])


@pytest.mark.parametrize("failing", ["build", "connection", "backup", "read"])
def test_what_fails_before_the_switch_leaves_the_old_version_running(
    server: Server, failing: str
) -> None:
    server.publish(ready=True)
    server.change(fails=[failing])
    status, said = server.run("glimpse-update")
    assert (status, server.running(), server.short()) == (1, server.old, server.old), said
    assert "goes on running" in said
    assert not any(" up " in call or " stop" in call for call in server.world["calls"])
    assert server.copies() == []


def test_a_full_disk_of_backups_stops_the_update(server: Server) -> None:
    server.publish(ready=True)
    # Nothing can be written there, even by root.
    server.stub("mv", 'case "$*" in *.part*) exit 1 ;; *) exec /bin/mv "$@" ;; esac')
    status, said = server.run("glimpse-update")
    assert (status, server.running()) == (1, server.old)
    assert "is the disk full?" in said


@pytest.mark.parametrize("alive", [True, False])
def test_a_version_that_does_not_get_ready_is_taken_back(server: Server, alive: bool) -> None:
    new = server.publish(ready=False, alive=alive)
    status, said = server.run("glimpse-update")
    assert (status, server.running(), server.short()) == (1, server.old, server.old), said
    assert "The version of before is running again" in said
    assert server.words() == ["before"]
    assert "something is wrong" in (server.state / f"failed-{new}.log").read_text(encoding="utf-8")


def test_taken_back_over_a_migration_the_log_of_before_is_restored(server: Server) -> None:
    server.publish(ready=False, migrates=True)
    status, said = server.run("glimpse-update")
    assert (status, server.running()) == (1, server.old)
    assert "cannot read the log any more" in said
    assert "running again" in said
    assert server.words() == ["before"]
    (kept,) = server.volume.glob("log.db.before-*")  # nothing is thrown away
    assert server.words(kept) == ["before"]


def test_a_platform_that_was_down_before_stops_no_update(server: Server) -> None:
    new = server.publish(ready=False)
    server.change(ready=[])
    status, said = server.run("glimpse-update")
    assert (status, server.running()) == (0, new), said
    assert "That was so before" in said


def test_changed_files_and_unknown_versions_are_told(server: Server) -> None:
    server.publish(ready=True)
    assert server.run("glimpse-update", "v9") == (1, "There is no version v9.\n")
    (server.clone / "version").write_text("mine", encoding="utf-8")
    status, said = server.run("glimpse-update")
    assert status == 1
    assert "were changed by hand" in said
    assert server.running() == server.old


def test_an_image_is_pulled_where_one_is_named(server: Server) -> None:
    new = server.publish(ready=True)
    with (server.clone / "deploy/.env").open("a", encoding="utf-8") as file:
        file.write("GLIMPSE_IMAGE=registry.example/glimpse\n")
    images = server.world["images"] | {"registry.example/glimpse": f"sha256:{server.old}"}
    server.change(env_image="registry.example/glimpse", pulled=f"sha256:{new}", images=images)
    status, said = server.run("glimpse-update")
    assert (status, server.running()) == (0, new), said
    assert not any(" build " in call for call in server.world["calls"])
    status, said = server.run("glimpse-rollback", "--yes")
    assert (status, server.running()) == (0, server.old), said
    assert "GLIMPSE_IMAGE still names the newer one" in said


def test_old_images_go_but_not_those_of_now_and_before(server: Server) -> None:
    new = server.publish(ready=True)
    images = server.world["images"] | {"glimpse:aaaaaaa": "sha256:aaaaaaa"}
    server.change(images=images)
    assert server.run("glimpse-update")[0] == 0
    assert sorted(server.world["images"]) == sorted(
        ["glimpse:latest", "glimpse:previous", f"glimpse:{new}"]
    )


def test_an_update_that_a_power_cut_ended_is_done_again(server: Server) -> None:
    new = server.publish(ready=True)
    server.git(server.clone, "pull", "--quiet")  # and no image was built
    status, said = server.run("glimpse-update")
    assert (status, server.running()) == (0, new), said


# --- going back ------------------------------------------------------------------------------


def test_a_rollback_asks_and_goes_back(server: Server) -> None:
    new = server.publish(ready=True)
    assert server.run("glimpse-update")[0] == 0
    assert server.run("glimpse-rollback", answer="n\n")[0] == 1
    assert server.running() == new
    status, said = server.run("glimpse-rollback", answer="y\n")
    assert (status, server.running(), server.short()) == (0, server.old, server.old), said
    assert server.words() == ["before"]
    assert server.run("glimpse-rollback", answer="y\n")[1] == (
        "There is no update to go back from.\n"
    )


def test_a_rollback_over_a_migration_restores_the_copy_after_asking(server: Server) -> None:
    new = server.publish(ready=True, migrates=True)
    assert server.run("glimpse-update")[0] == 0
    server.write("since")
    status, said = server.run("glimpse-rollback", answer="y\nn\n")
    assert (status, server.running(), server.short()) == (0, new, new), said
    assert server.words() == ["before", "since"]
    status, said = server.run("glimpse-rollback", answer="y\ny\n")
    assert (status, server.running()) == (0, server.old), said
    assert server.words() == ["before"]
    (kept,) = server.volume.glob("log.db.before-*")
    assert server.words(kept) == ["before", "since"]


# --- copies ----------------------------------------------------------------------------------


def test_a_backup_says_where_the_keys_are_and_goes_after_a_week(server: Server) -> None:
    old = server.state / "backups/log-old.db"
    old.parent.mkdir()
    old.touch()
    os.utime(old, (0, 0))
    status, said = server.run("glimpse-backup")
    assert status == 0, said
    (copy,) = server.copies()
    assert server.words(copy) == ["before"]
    assert str(copy) in said
    assert "GLIMPSE_LOG_KEY and GLIMPSE_PICTURE_KEY in" in said


def test_a_backup_is_made_while_the_bot_stands_still(server: Server) -> None:
    server.change(running={"image": f"sha256:{server.old}", "up": False})
    assert server.run("glimpse-backup")[0] == 0
    assert server.words(server.copies()[0]) == ["before"]


def test_a_copy_is_restored_and_a_broken_one_refused(server: Server, tmp_path: Path) -> None:
    assert server.run("glimpse-backup")[0] == 0
    (copy,) = server.copies()
    server.write("since")
    (server.volume / "log.db-wal").write_bytes(b"of the log that was there")
    (server.volume / ".log.db-litestream").mkdir()
    status, said = server.run("glimpse-restore", copy, answer="y\n")
    assert (status, server.running()) == (0, server.old), said
    assert server.words() == ["before"]
    assert not (server.volume / ".log.db-litestream").exists()
    broken = tmp_path / "broken.db"
    broken.write_bytes(b"no database" * 1000)
    status, said = server.run("glimpse-restore", broken, "--yes")
    assert (status, server.running()) == (1, server.old)
    assert "the log is as it was" in said
    assert server.words() == ["before"]
    assert not (server.volume / ".incoming.db").exists()
    assert server.run("glimpse-restore", tmp_path / "none")[0] == 1


# --- setting a server up ---------------------------------------------------------------------


@pytest.fixture
def fresh(server: Server) -> Server:
    """A server that cloud-init has just brought to the last step."""
    (server.clone / "deploy/.env").unlink()
    for folder in (
        "etc/glimpse", "etc/sysctl.d", "etc/systemd/system", "etc/cron.d", "usr/local/bin",
    ):  # fmt: skip
        (server.root / folder).mkdir(parents=True)
    (server.root / "etc/fstab").touch()
    (server.root / "etc/glimpse/values.env").write_text(
        "GLIMPSE_TELEGRAM_TOKEN=1:secret\nGLIMPSE_DISCORD_TOKEN=\n"
        "# GLIMPSE_IMAGE=registry.example/you/glimpse:latest\n",
        encoding="utf-8",
    )
    for name in ("mkswap", "sysctl", "systemctl", "swapon"):
        server.stub(name, f'echo "{name} $*" >>"{server.root}/calls"')
    server.stub("fallocate", 'touch "$3"')
    server.stub("ufw", f'echo "ufw $*" >>"{server.root}/calls"; echo "22/tcp ALLOW Anywhere"')
    server.stub("id", "exit 1")
    server.change(images={}, running=None)
    return server


def test_a_new_server_is_set_up_twice_with_the_same_result(fresh: Server) -> None:
    fresh.change(images={}, running={"image": "", "up": False})
    status, said = fresh.run("glimpse-setup")
    assert status == 0, said
    assert "Glimpse is ready" in said
    assert "secret" not in said
    path = fresh.clone / "deploy/.env"
    assert path.stat().st_mode & 0o777 == 0o600
    first = path.read_text(encoding="utf-8")
    assert first.count("GLIMPSE_TELEGRAM_TOKEN=1:secret") == 1
    keys = [line for line in first.splitlines() if line.startswith("GLIMPSE_LOG_KEY=")]
    assert len(keys) == 1
    assert len(keys[0]) == len("GLIMPSE_LOG_KEY=") + 64
    assert not (fresh.root / "etc/glimpse/values.env").exists()  # tokens lie in one place
    assert (fresh.root / "usr/local/bin/glimpse-update").is_symlink()
    status, said = fresh.run("glimpse-setup")
    assert status == 0, said
    assert path.read_text(encoding="utf-8") == first
    assert len((fresh.root / "etc/fstab").read_text(encoding="utf-8").splitlines()) == 1
    calls = fresh.world["calls"]
    assert sum(" build bot" in call for call in calls) == 1
    done = (fresh.root / "calls").read_text(encoding="utf-8")
    assert "ufw allow 443/tcp" not in done
    assert done.index("ufw allow OpenSSH") < done.index("ufw --force enable")


def test_without_a_token_nothing_starts_and_443_opens_with_the_webhook(fresh: Server) -> None:
    (fresh.root / "etc/glimpse/values.env").unlink()
    (fresh.clone / "deploy/.env").write_text("COMPOSE_PROFILES=backup,webhook\n", encoding="utf-8")
    status, said = fresh.run("glimpse-setup")
    assert status == 0, said
    assert "No token is set" in said
    assert not any(" up " in call for call in fresh.world["calls"])
    assert "ufw allow 443/tcp" in (fresh.root / "calls").read_text(encoding="utf-8")
