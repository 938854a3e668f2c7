"""Which runtime computes a profile's model: OpenVINO to serve, PyTorch to train and as reference.

OpenVINO's model is converted once from PyTorch's and kept in the cache; from then on neither
PyTorch nor transformers is imported to answer.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from model.cache import Progress
from model.confidence import Calibration
from model.config import Profile
from model.detections import Detections
from model.errors import DeviceError, ModelError, ProfileError
from model.generation import LanguageModel
from model.libraries import needed_for

if TYPE_CHECKING:
    import torch
    from PIL import Image

log = logging.getLogger(__name__)
RUNTIMES = ("auto", "openvino", "torch")
MAX_WORKERS = 4
NO_PYTORCH = (
    "The runtime torch needs {library}, which is not installed here; take the runtime openvino, "
    "in eight bits."
)


class PictureCache(Protocol):
    """What a model made of one picture, kept for later questions."""

    @property
    def detections(self) -> Detections:
        """What the object head sees in it."""

    @property
    def bytes(self) -> int:
        """Memory that it holds, in bytes."""


class VisionLanguageModel(LanguageModel, Protocol):
    """What the engine asks of a model: `PrefixVLM`, or `OpenVinoVLM`."""

    def read_pictures(self, images: Sequence[Image.Image]) -> Sequence[PictureCache]:
        """RGB pictures → what each is to the language model."""


@dataclass(frozen=True)
class LoadedModel:
    """A model ready to answer.

    Attributes:
        model: The model.
        calibration: Turns its log-probabilities into confidences.
        workers: How many threads may ask it at the same time.
        release: Gives memory back that it needed only until its first answer.
    """

    model: VisionLanguageModel
    calibration: Calibration
    workers: int
    release: Callable[[], None] = lambda: None


def load_model(
    profile: Profile,
    runtime: str,
    *,
    threads: int | None,
    int8: bool,
    device: str,
    progress: Progress,
) -> LoadedModel:
    """Load a profile's model with its adapter; the arguments are those of `load_engine`.

    Raises:
        ProfileError, AdapterError, WeightsError, DeviceError: One plain sentence each.
    """
    if runtime not in RUNTIMES:
        raise DeviceError(f'There is no runtime "{runtime}"; take {", ".join(RUNTIMES)}.')
    if runtime == "openvino" and device != "cpu":
        raise DeviceError("OpenVINO computes on the CPU only; take the runtime torch.")
    if runtime == "openvino" or (runtime == "auto" and int8 and device == "cpu"):
        loaded = _load_openvino(profile, runtime, threads or usable_cores(), int8, progress)
        if loaded:
            return loaded
    with needed_for(NO_PYTORCH):
        return _load_torch(profile, threads, int8, device, progress)


def _load_openvino(
    profile: Profile, runtime: str, threads: int, int8: bool, progress: Progress
) -> LoadedModel | None:
    """The converted model; None if PyTorch has to do, which only "auto" allows."""
    from model.converted import load_converted

    try:
        found = load_converted(
            profile, threads=threads, int8=int8, small=runtime == "openvino", progress=progress
        )
    except ModelError:  # which says what is wrong
        raise
    except (ImportError, RuntimeError) as error:  # the latter is what OpenVINO raises
        if runtime == "openvino":
            raise DeviceError(
                "OpenVINO cannot run this model here; take the runtime torch."
            ) from error
        log.warning("OpenVINO cannot run this model; PyTorch does", exc_info=True)
        return None
    if found is None:
        return None
    vlm, calibration = found
    return LoadedModel(vlm, calibration, workers=1, release=vlm.release)


def _load_torch(
    profile: Profile, threads: int | None, int8: bool, device: str, progress: Progress
) -> LoadedModel:
    """PyTorch's model: up to four workers of one thread each, for one gains little from more."""
    import torch

    from model.adapter import load_trained
    from model.quantization import load_quantized
    from model.vision import EfficientNetLiteTower

    place = find_device(device)
    on_cpu = place.type == "cpu"
    threads = threads or torch.get_num_threads()
    workers = min(threads, MAX_WORKERS) if on_cpu else 1
    torch.set_num_threads(threads // workers)
    vlm, calibration = (load_quantized if int8 and on_cpu else load_trained)(profile, progress)
    if isinstance(vlm.tower, EfficientNetLiteTower):
        vlm.tower.fold_batch_norm()
    if not on_cpu:
        vlm.to(place)
    return LoadedModel(vlm, calibration, workers)


def needs_base(profile: Profile, runtime: str, int8: bool) -> tuple[bool, bool]:
    """Whether loading a profile needs the base weights of its language model, and of its tower."""
    if runtime != "torch" and (int8 or runtime == "openvino"):
        from model.converted import is_converted

        try:
            if is_converted(profile, int8):
                return False, False
        except ProfileError:  # it has no adapter yet
            return True, True
    if not int8 or runtime != "torch":
        return True, True
    from model.quantization import is_cached

    return not is_cached(profile), True


def needs_conversion(profile: Profile, runtime: str, int8: bool) -> bool:
    """Whether loading a profile converts its model first, with PyTorch."""
    if runtime == "torch" or not (int8 or runtime == "openvino"):
        return False
    from model.converted import is_converted

    return not is_converted(profile, int8)


def usable_cores() -> int:
    """How many cores this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on every system
        return os.cpu_count() or 1


def find_device(name: str) -> torch.device:
    """The device of a name, if PyTorch can use it here.

    Raises:
        DeviceError: There is none; one plain sentence.
    """
    import torch

    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise DeviceError(f'There is no device "{name}"; take "cpu" or "cuda".') from error
    if device.type == "cuda" and not torch.cuda.is_available():
        raise DeviceError(
            "PyTorch finds no GPU here; take the device cpu, or install it for GPUs: "
            "make setup TORCH=cuda"
        )
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise DeviceError(f'There is no device "{name}"; {torch.cuda.device_count()} are here.')
    return device
