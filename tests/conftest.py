"""Every test runs offline, quietly, and without the settings of whoever runs it."""

from __future__ import annotations

import os
import signal

import pytest

# A job in the background starts with SIGINT ignored, and every program that a test starts and
# interrupts would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


_KEPT = {"GLIMPSE_CACHE", "GLIMPSE_WHEELS"}  # where the base weights come from

for _name in [*os.environ]:
    if _name.startswith("GLIMPSE_") and _name not in _KEPT:
        del os.environ[_name]
for _name in ("FORCE_COLOR", "TTY_COMPATIBLE", "RANK", "WORLD_SIZE", "PYTHONWARNINGS"):
    os.environ.pop(_name, None)
if "PYTEST_XDIST_WORKER" in os.environ:  # tests side by side share the cores
    os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.update(
    HF_HUB_DISABLE_PROGRESS_BARS="1",
    HF_HUB_DISABLE_TELEMETRY="1",
    GLIMPSE_LOG="off",
    HF_HUB_OFFLINE="1",
    NO_COLOR="1",
    TOKENIZERS_PARALLELISM="false",
    TRANSFORMERS_OFFLINE="1",
)


@pytest.fixture(autouse=True)
def _weight_places_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """What one test's command line configures is not the next one's."""
    monkeypatch.setattr("model.cache._places", {})
