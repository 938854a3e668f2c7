"""Processes that share one training step, each with its part of the pictures.

Started by `glimpse train --processes`, `accelerate launch` or `torchrun`, which set RANK and
WORLD_SIZE; without them there is one process. Hugging Face Accelerate finds the device and the
backend: a GPU for each process, or CPUs. On a CPU one process with one thread for each core beats
one process with many threads, for it synchronises once a step instead of at every operation.
"""

from __future__ import annotations

import atexit
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import torch
from torch import Tensor
from torch import distributed as dist

from finetune.errors import TrainingError

PATIENCE = timedelta(days=1)  # others wait while the main process encodes pictures


@dataclass(frozen=True)
class ProcessGroup:
    """This process's place among those that train together.

    Attributes:
        rank: This process's number; 0 is the main one.
        size: How many there are.
        device: What this process computes on.
    """

    rank: int = 0
    size: int = 1
    device: torch.device = field(default=torch.device("cpu"))

    @classmethod
    def join(cls) -> ProcessGroup:
        """Join the processes that the environment names, or be alone.

        Raises:
            TrainingError: There are GPUs, but fewer than processes.
        """
        from accelerate import PartialState

        unwanted = os.environ.get("ACCELERATE_USE_CPU", "").lower() in ("1", "true", "yes")
        cpu = unwanted or not torch.cuda.is_available()
        here = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
        if not cpu and here > torch.cuda.device_count():
            raise TrainingError(
                f"There are {here} processes, but only {torch.cuda.device_count()} GPUs here; "
                "start one process for each GPU, or hide the GPUs with CUDA_VISIBLE_DEVICES=."
            )
        known = dist.is_initialized()
        state: Any = PartialState(cpu=cpu, timeout=PATIENCE)
        if state.num_processes > 1 and not known:
            atexit.register(dist.destroy_process_group)
        return cls(state.process_index, state.num_processes, state.device)

    @property
    def is_main(self) -> bool:
        """Whether this process writes files and talks."""
        return self.rank == 0

    def barrier(self) -> None:
        """Wait until every process is here."""
        if self.size > 1:
            dist.barrier()

    def assign(self, costs: Sequence[int]) -> list[int]:
        """Which items this process takes, so that all have about the same to do."""
        loads = [0] * self.size
        mine = []
        for index in sorted(range(len(costs)), key=lambda i: -costs[i]):
            rank = loads.index(min(loads))
            loads[rank] += costs[index]
            if rank == self.rank:
                mine.append(index)
        return mine

    def broadcast(self, tensors: Sequence[Tensor]) -> None:
        """Take the main process's values of these tensors, in place."""
        if self.size > 1:
            for tensor in tensors:
                dist.broadcast(tensor.data, 0)

    def all_reduce(self, values: Tensor) -> Tensor:
        """The sum of a tensor over all processes, in place."""
        if self.size > 1:
            dist.all_reduce(values)
        return values

    def all_reduce_gradients(self, parameters: Sequence[Tensor]) -> None:
        """Sum the gradients of all processes in place, in one message."""
        if self.size == 1:
            return
        grads = [p.grad if p.grad is not None else torch.zeros_like(p) for p in parameters]
        flat = self.all_reduce(torch.cat([grad.flatten() for grad in grads]))
        parts = torch.split(flat, [grad.numel() for grad in grads])
        for parameter, part in zip(parameters, parts, strict=True):
            parameter.grad = part.view_as(parameter)

    def agree(self, seconds: float, stopped_by: int) -> tuple[float, int]:
        """The main process's clock, and the largest signal number that anyone was stopped by."""
        if self.size == 1:
            return seconds, stopped_by
        told = torch.zeros(1 + self.size, dtype=torch.float64, device=self.device)
        told[0] = seconds if self.is_main else 0.0
        told[1 + self.rank] = stopped_by
        seconds, *signals = self.all_reduce(told).tolist()
        return seconds, int(max(signals))
