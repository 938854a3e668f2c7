"""OpenVINO without its telemetry, which else tells Google Analytics of every import, unasked.

Whoever needs OpenVINO takes it from here.
"""

from __future__ import annotations

import sys

# "Not installed": the library then takes the stand-in that it brings for that case.
sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]

import openvino as ov  # noqa: E402
from openvino import opset15 as ops  # noqa: E402
from openvino._offline_transformations import apply_make_stateful_transformation  # noqa: E402

__all__ = ["apply_make_stateful_transformation", "ops", "ov"]
