"""Whole programs that open pictures: how they start, end, fork, and are interrupted."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from image_files import encode, four_corners, png

from data.images import open as open_module
from data.images import sandbox
from data.images.worker import READY, REQUEST

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Start]:
    """Starts programs; whatever a failing test leaves behind is killed."""
    with contextlib.ExitStack() as stack:

        def start(text: str, *flags: str) -> subprocess.Popen[str]:
            process = stack.enter_context(started(text, tmp_path, *flags))
            stack.callback(process.kill)
            return process

        yield start


def started(text: str, folder: Path, *flags: str) -> subprocess.Popen[str]:
    path = folder / "program.py"
    head = """
        import os, signal, sys, time
        from data.images import open as open_module
        from data.images.open import ImageLimits, open_picture
        from data.errors import ImageRefused
        from pathlib import Path
        photo = Path("photo.jpg").read_bytes()
        def pids(): return [worker.process.pid for worker in open_module.POOL._all]
    """
    path.write_text(textwrap.dedent(head) + textwrap.dedent(text))
    (folder / "photo.jpg").write_bytes(encode(four_corners(), "JPEG"))
    command = [sys.executable, "-X", "dev", "-W", "error", *flags, str(path)]
    root = str(Path(open_module.__file__).parents[2])
    return subprocess.Popen(
        command,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": root},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def ended(pid: int) -> bool:
    """Whether a process that is not ours is gone, within seconds."""
    for _ in range(300):
        try:
            os.kill(pid, 0)
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return True
        if state == "Z":  # only waits for whoever adopted it
            return True
        time.sleep(0.01)
    return False


def output(process: subprocess.Popen[str]) -> list[str]:
    out, err = process.communicate(timeout=60)
    assert (err, process.returncode) == ("", 0)
    return out.split()


def test_a_program_ends_clean_and_takes_its_processes_along(program: Start) -> None:
    text = """
        open_picture(photo)
        print(*pids())
    """
    (pid,) = output(program(text))
    assert ended(int(pid))


def test_processes_end_when_the_program_is_killed(program: Start) -> None:
    text = """
        open_picture(photo)
        print(*pids(), flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    """
    out, err = program(text).communicate(timeout=60)
    assert err == ""
    assert ended(int(out))


def test_files_in_the_current_folder_are_not_run(program: Start, tmp_path: Path) -> None:
    for name in ("struct", "PIL", "data", "sitecustomize", "pillow_heif"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('run by accident')")
    text = """
        print(open_picture(photo).format)
    """
    # -P keeps the folder of the program itself off the path.
    assert output(program(text, "-P")) == ["JPEG"]


def test_forked_child_has_processes_of_its_own(program: Start) -> None:
    text = """
        import warnings
        warnings.simplefilter("ignore", DeprecationWarning)  # of forking
        open_picture(photo)
        before = pids()
        child = os.fork()
        if child == 0:
            assert pids() == []
            open_picture(photo)
            print(*pids(), flush=True)
            sys.exit(0)
        assert os.waitpid(child, 0)[1] == 0
        open_picture(photo)
        assert pids() == before
        print(*pids())
    """
    pids = output(program(text))
    assert len(set(pids)) == 2
    assert all(ended(int(pid)) for pid in pids)


def test_ctrl_c_in_the_middle_of_a_picture(program: Start) -> None:
    text = """
        open_picture(photo)
        (pid,) = pids()
        os.kill(pid, signal.SIGSTOP)
        try:
            print(pid, flush=True)
            open_picture(photo)
        except KeyboardInterrupt:
            assert pids() == []
            print(open_picture(photo).format)
    """
    process = program(text)
    assert process.stdout
    pid = int(process.stdout.readline())
    time.sleep(0.2)
    os.killpg(process.pid, signal.SIGINT)
    assert output(process) == ["JPEG"]
    assert ended(pid)


def test_ctrl_c_does_not_reach_a_waiting_process(program: Start) -> None:
    text = """
        open_picture(photo)
        try:
            print(*pids(), flush=True)
            time.sleep(60)
        except KeyboardInterrupt:
            open_picture(photo)
            print(*pids())
    """
    process = program(text)
    assert process.stdout
    pid = process.stdout.readline().strip()
    os.killpg(process.pid, signal.SIGINT)
    assert output(process) == [pid], "the same process serves on"


def test_packages_are_found_wherever_this_one_was(monkeypatch: pytest.MonkeyPatch) -> None:
    root = str(Path(open_module.__file__).parents[2])
    monkeypatch.setattr(sys, "path", ["", "/lib/python", "relative"])
    assert sandbox._command()[-3:] == [root, "/lib/python", str(Path("relative").absolute())]
    monkeypatch.setattr(sys, "path", ["/lib/python", root])
    assert sandbox._command()[-2:] == ["/lib/python", root]


def test_process_ends_itself_when_nobody_is_left_to_kill_it() -> None:
    large = png(8000, 8000, 1, 0, bytes(1001) * 8000)
    seconds = -0.96  # one second is added
    request = REQUEST.pack(b"PNG", len(large), 64_000_000, 20.0, seconds)
    with subprocess.Popen(
        sandbox._command(), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        out, _ = process.communicate(request + large)
    assert (out, process.returncode) == (READY, -signal.SIGALRM)


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs Linux")
def test_process_has_no_secrets_and_little_room(program: Start) -> None:
    text = """
        os.environ["BOT_TOKEN"] = "secret"
        open_picture(photo)
        proc = Path("/proc", str(*pids()))
        assert b"secret" not in (proc / "environ").read_bytes()
        lines = (proc / "limits").read_text().splitlines()
        limits = {line[:25].strip(): line[26:].split()[0] for line in lines}
        assert limits["Max file size"] == limits["Max core file size"] == "0"
        assert int(limits["Max address space"]) <= 2 << 30
        assert {str(fd.readlink())[:5] for fd in (proc / "fd").iterdir()} <= {"pipe:", "/dev/"}
    """
    assert output(program(text)) == []
