"""Tiny models, and a tiny data folder whose answers can be seen in its pictures."""

from __future__ import annotations

import os
import sys
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"  # before the first import of huggingface_hub
sys.path.append(str(Path(__file__).parents[1] / "model"))  # tiny_models

import pytest
import torch
from tiny_data import write_data
from tiny_models import save_hub


@pytest.fixture(scope="session")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with tiny models in the hub's format."""
    folder = tmp_path_factory.mktemp("hub")
    save_hub(folder)
    return folder


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a dozen coloured pictures, captions and questions."""
    folder = tmp_path_factory.mktemp("data")
    write_data(folder)
    return folder


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
