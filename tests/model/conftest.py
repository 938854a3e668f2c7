"""Tiny models for all tests here, saved once."""

from __future__ import annotations

from pathlib import Path

import huggingface_hub
import pytest
import torch
from tiny_models import save_hub


@pytest.fixture(scope="session")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with tiny models in the hub's format: "clip", "vit", "gpt-neox", "llama", ..."""
    folder = tmp_path_factory.mktemp("hub")
    save_hub(folder)
    return folder


@pytest.fixture(autouse=True)
def _repeatable_and_offline(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    # As HF_HUB_OFFLINE=1 would, which huggingface_hub reads when first imported.
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
