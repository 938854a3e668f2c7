"""The checks of `openvino_checks.py`, in a process of their own.

After conversions and engines of OpenVINO, PyTorch's training crashed in the same process
(segmentation fault, cause unknown); nobody but tests does both.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.mark.timeout(400)
def test_openvino_computes_what_pytorch_does() -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist"]
    command += ["-o", "addopts=", str(HERE / "openvino_checks.py")]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=HERE.parents[1], timeout=390
    )
    assert done.returncode == 0, done.stdout[-4000:]
    assert " passed" in done.stdout
