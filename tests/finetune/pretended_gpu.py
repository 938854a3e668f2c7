"""A device that is not there: its tensors compute on the CPU, but do not mix with the CPU's.

PyTorch on a CPU cannot tell whether code keeps its tensors on one device. This registers a device
"pretend" in PyTorch's place for foreign backends; an operation that gets a tensor of it together
with one of the CPU is refused, as on a GPU, unless PyTorch allows that there: numbers without a
dimension, copies, and indexes.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.utils._device import _device_constructors
from torch.utils._pytree import tree_map
from torch.utils.backend_registration import _setup_privateuseone_for_python_backend

NAME = "pretend"
CPU = torch.device("cpu")
torch.inference_mode = torch.no_grad  # type: ignore[misc, assignment]  # wrappers know no other
MAY_MIX = ("copy_", "_to_copy", "index", "index_put", "index_put_", "_index_put_impl_", "set_")


class PretendedTensor(Tensor):
    """A tensor on the device, whose numbers lie in `inner` on the CPU."""

    inner: Tensor

    @staticmethod
    def __new__(cls, inner: Tensor) -> PretendedTensor:
        made: Any = Tensor._make_wrapper_subclass(  # type: ignore[attr-defined]
            cls, inner.size(), strides=inner.stride(), storage_offset=inner.storage_offset(),
            dtype=inner.dtype, layout=inner.layout, device=torch.device(f"{NAME}:0"),
            requires_grad=inner.requires_grad,
        )  # fmt: skip
        made.inner = inner
        return made  # type: ignore[no-any-return]

    def tolist(self) -> Any:
        """PyTorch refuses this to subclasses, and no GPU does."""
        return self.inner.tolist()

    def __getitem__(self, key: Any) -> Any:
        return super().__getitem__(_as_tensors(key))

    def __setitem__(self, key: Any, value: Any) -> None:
        super().__setitem__(_as_tensors(key), value)

    @classmethod
    def __torch_dispatch__(
        cls, operation: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        return run(operation, args, kwargs or {})


def _as_tensors(key: Any) -> Any:
    """An index whose lists are tensors, for PyTorch cannot bring lists to foreign backends."""
    if isinstance(key, tuple):
        return tuple(_as_tensors(each) for each in key)
    return torch.tensor(key, dtype=torch.long) if isinstance(key, list) else key


def run(operation: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """Compute on the CPU; the result is on the device unless it was asked for elsewhere."""
    name = operation._schema.name.rpartition("::")[2]
    mine: dict[int, PretendedTensor] = {}
    foreign: list[Tensor] = []

    def unwrap(value: Any) -> Any:
        if isinstance(value, PretendedTensor):
            mine[id(value.inner)] = value
            return value.inner
        if isinstance(value, Tensor) and value.dim():
            foreign.append(value)
        return CPU if isinstance(value, torch.device) else value

    target = kwargs.get("device")
    plain_args, plain_kwargs = tree_map(unwrap, args), tree_map(unwrap, kwargs)
    if mine and foreign and name not in MAY_MIX:
        raise RuntimeError(f"{name} mixes devices: {[tuple(it.shape) for it in foreign]}")
    found = operation(*plain_args, **plain_kwargs)
    if target is not None and torch.device(target).type == "cpu":
        return found
    stays = name == "copy_" and not isinstance(args[0], PretendedTensor)

    def wrap(value: Any) -> Any:
        if not isinstance(value, Tensor) or stays:
            return args[0] if stays and isinstance(value, Tensor) else value
        known = mine.get(id(value))
        return PretendedTensor(value) if known is None else known

    return tree_map(wrap, found)


def install() -> torch.device:
    """Register the device in this process, for good; returns it."""
    _setup_privateuseone_for_python_backend(NAME)
    module: Any = torch.get_device_module(NAME)
    module.get_amp_supported_dtype = lambda: [torch.bfloat16]
    _device_constructors()  # it remembers the factories; transformers asks what they make
    torch.tensor = _made_elsewhere(torch.tensor)
    torch.save = _on_the_cpu(torch.save)
    library = torch.library.Library("_", "IMPL")
    library.fallback(lambda operation, *args, **kwargs: run(operation, args, kwargs), "PrivateUse1")
    install.kept = library  # type: ignore[attr-defined]
    return torch.device(f"{NAME}:0")


def _made_elsewhere(make: Any) -> Any:
    """A factory that PyTorch's own code for foreign backends does not know."""

    def made(*args: Any, device: Any = None, **kwargs: Any) -> Tensor:
        found: Tensor = make(*args, **kwargs)
        return found if device is None else found.to(device)

    return made


def _on_the_cpu(save: Any) -> Any:
    """`torch.save` of the numbers inside, which is what it reads from a GPU as well."""

    def saved(value: Any, *args: Any, **kwargs: Any) -> None:
        plain = tree_map(lambda it: it.cpu() if isinstance(it, PretendedTensor) else it, value)
        save(plain, *args, **kwargs)

    return saved
