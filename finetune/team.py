"""Processes that share one training step, each with its part of the pictures.

Started by `torchrun`, which sets RANK and WORLD_SIZE; without it a team has one member. On a CPU
one process with one thread for each core beats one process with many threads, for it synchronises
once a step instead of at every operation.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch import distributed as dist


@dataclass(frozen=True)
class Team:
    """This process's place among those that train together."""

    rank: int = 0
    size: int = 1

    @classmethod
    def join(cls) -> Team:
        """Join the team that `torchrun` set up, or be alone."""
        size = int(os.environ.get("WORLD_SIZE", "1"))
        if size == 1:
            return cls()
        if not dist.is_initialized():
            dist.init_process_group("gloo")
        return cls(dist.get_rank(), size)

    @property
    def leads(self) -> bool:
        """Whether this process writes files and talks."""
        return self.rank == 0

    def share(self, costs: Sequence[int]) -> list[int]:
        """Which items this process takes, so that all have about the same to do."""
        loads = [0] * self.size
        mine = []
        for index in sorted(range(len(costs)), key=lambda i: -costs[i]):
            rank = loads.index(min(loads))
            loads[rank] += costs[index]
            if rank == self.rank:
                mine.append(index)
        return mine

    def sum(self, values: Tensor) -> Tensor:
        """The sum of a tensor over all processes."""
        if self.size > 1:
            dist.all_reduce(values)
        return values

    def sum_gradients(self, parameters: Sequence[Tensor]) -> None:
        """Sum the gradients of all processes in place, in one message."""
        if self.size == 1:
            return
        grads = [p.grad if p.grad is not None else torch.zeros_like(p) for p in parameters]
        flat = self.sum(torch.cat([grad.flatten() for grad in grads]))
        parts = flat.split([grad.numel() for grad in grads])
        for parameter, part in zip(parameters, parts, strict=True):
            parameter.grad = part.view_as(parameter)

    def agree(self, *values: float) -> list[float]:
        """The leader's values, for everyone: clocks and signals differ between processes."""
        agreed = torch.tensor(values, dtype=torch.float64)
        if self.size > 1:
            dist.broadcast(agreed, 0)
        result: list[float] = agreed.tolist()
        return result
