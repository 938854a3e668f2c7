"""Everything that training computes must be where the model is, which need not be the CPU.

There is no GPU here. The device "meta" knows types and shapes but no numbers, and its tensors
refuse most meetings with those of the CPU, as a GPU's would.
"""

from contextlib import nullcontext
from pathlib import Path

import pytest
import torch
from test_packing import TEXTS, objective, visits

from finetune import distributed
from finetune.distributed import Team
from finetune.errors import TrainingError

META = torch.device("meta")


@pytest.mark.parametrize("speaking", ["gpt-neox", "llama"])
def test_the_loss_and_its_gradients_are_computed_where_the_model_is(
    hub: Path, speaking: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    measure = objective(hub, speaking)
    learner = measure.learner
    learner.vlm.to(META)
    assert learner.vlm.device == META
    monkeypatch.setattr(learner, "autocast", nullcontext)  # has no settings for this device
    total = measure(visits(TEXTS))
    total.backward()
    assert total.device == META
    for parameter in learner.mapper_parameters + learner.lora_parameters:
        assert parameter.grad is not None
        assert parameter.grad.device == META


def test_more_processes_than_gpus_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distributed.torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(distributed.torch.cuda, "device_count", lambda: 1)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    with pytest.raises(TrainingError, match="2 processes, but only 1 GPUs here"):
        Team.join()
