"""Models that OpenVINO computes answer as PyTorch's do, and serve without it."""

from __future__ import annotations

import copy
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from tiny_models import (
    END,
    QUESTIONS,
    SIDE,
    photo,
    picture,
    save_tiny_adapter,
    spread,
    tiny_vlm,
    trained_profile,
)

from bot.cli.context import AppContext
from model import converted, runtime
from model.confidence import Calibration
from model.config import MapperConfig, TowerConfig, load_profile
from model.conversion import convert
from model.engine import load_engine
from model.errors import AdapterError, DeviceError, MissingLibraryError
from model.generation import Decoded, beam, greedy, score
from model.libraries import TITLES
from model.openvino_vlm import OpenVinoVLM
from model.prompts import prompt_for
from model.vlm import PrefixVLM

NAMES = ("person", "dog", "car", "sky", "grass")
PROMPTS = [prompt_for(question) for question in (*QUESTIONS[:5], None)]
Pair = tuple[PrefixVLM, OpenVinoVLM]


def with_objects(hub: Path) -> PrefixVLM:
    """CLIP and Llama, with words, colours and objects, and boxes that are found."""
    sizes = {"words": 3, "vocabulary": 9, "colours": 2, "objects": 2}
    sizes |= {"object_classes": len(NAMES), "object_boxes": 3, "shuffle": 2}
    tower = TowerConfig("clip", str(hub / "clip"), SIDE, detail_layer=2)
    vlm = tiny_vlm(hub, "llama", mapper=MapperConfig("mlp", 24, **sizes), tower=tower)
    vlm.object_names = NAMES
    assert vlm.mapper.objects is not None
    spread(vlm.mapper.objects, 0.05)
    with torch.no_grad():
        vlm.mapper.objects.head.cells.bias.zero_()
    return vlm


def with_queries(hub: Path) -> PrefixVLM:
    """DINOv2 and GPT-NeoX, with a resampler."""
    return tiny_vlm(hub, "gpt-neox", "dinov2", mapper=MapperConfig("resampler", 24, queries=6))


@pytest.fixture(scope="module", params=[with_objects, with_queries, tiny_vlm])
def pair(
    hub: Path, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Pair:
    """A model in fp32, and what OpenVINO makes of it."""
    vlm: PrefixVLM = request.param(hub)
    folder = tmp_path_factory.mktemp("converted")
    convert(copy.deepcopy(vlm), Calibration(), folder, int8=False)
    return vlm, OpenVinoVLM(folder, threads=1)


def assert_same(found: Sequence[Decoded], expected: Sequence[Decoded]) -> None:
    assert [each.text for each in found] == [each.text for each in expected]
    assert [each.tokens for each in found] == [each.tokens for each in expected]
    wanted = pytest.approx([each.logprob for each in expected], abs=2e-3)
    assert [each.logprob for each in found] == wanted


def read(model: Any, seeds: Sequence[int] = range(6)) -> Sequence[Any]:
    return model.read_pictures([picture(seed) for seed in seeds])


@pytest.mark.parametrize("scales", [(), (0.3, 1.0, 2.0, 0.0, 0.5, 0.4)])
def test_it_writes_what_pytorch_writes(pair: Pair, scales: tuple[float, ...]) -> None:
    vlm, fast = pair
    expected = greedy(vlm, read(vlm), PROMPTS, 6, scales)
    caches = read(fast)
    assert_same(greedy(fast, caches, PROMPTS, 6, scales), expected)  # read with their prefixes
    assert_same(greedy(fast, caches, PROMPTS, 6, scales), expected)  # behind what was kept of them
    mixed = [*read(fast, [0, 1]), *caches[2:]]
    assert_same(greedy(fast, mixed, PROMPTS, 6, scales), expected)
    alone = [
        greedy(fast, read(fast, [row]), [PROMPTS[row]], 6, scales[row : row + 1])[0]
        for row in range(6)
    ]
    assert_same(alone, expected)


def test_beams_and_other_answers_are_the_same(pair: Pair) -> None:
    vlm, fast = pair
    arguments = PROMPTS, 5, 3, 0.7
    assert_same(beam(fast, read(fast), *arguments), beam(vlm, read(vlm), *arguments))
    ranks = [0, 1, 2, 3, 1, 0]
    expected = greedy(vlm, read(vlm), PROMPTS, 5, (), ranks)
    assert_same(greedy(fast, read(fast), PROMPTS, 5, (), ranks), expected)


@pytest.mark.parametrize("scales", [(), (0.3, 1.0, 2.0, 0.0, 0.5, 0.4)])
@pytest.mark.parametrize("guessed", [True, False])
def test_answers_that_were_read_ahead_are_the_same(
    pair: Pair, guessed: bool, scales: tuple[float, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    vlm, fast = pair
    expected = greedy(vlm, read(vlm), PROMPTS, 6, scales)
    first = [each.tokens[0] for each in expected]
    then = [each.tokens[-1] for each in expected]
    ahead = [[token + 1, token] for token in first]
    ahead[3][1] += 0 if guessed else 1  # one row's token is not among those
    prompts = [fast.tokens(prompt) for prompt in PROMPTS]
    passes = Mock(wraps=fast.language.read)
    monkeypatch.setattr(fast.language, "read", passes)

    def steps(caches: Sequence[Any], ahead: Sequence[Sequence[int]]) -> list[Any]:
        decoder = fast.start(caches, prompts, scales, ahead)
        found = [decoder.logprobs, decoder.step(first)]
        decoder.select(rows := [4, 1, 1, 3])
        return [*found, decoder.step([then[row] for row in rows])]

    caches = read(fast)
    plain = steps(caches, ())
    for behind in (caches, read(fast)):  # what was kept of the prefixes, or in one pass with them
        passes.reset_mock()
        for found, known in zip(steps(behind, ahead), plain, strict=True):
            np.testing.assert_allclose(found, known, atol=2e-3)
        assert passes.call_count == (2 if guessed else 3)
    texts = [["yes", "no"]] * 3 + [[fast.text_of([token]).strip()] * 2 for token in first[3:]]
    assert_same(greedy(fast, caches, PROMPTS, 6, scales, likely=texts), expected)


def test_given_answers_score_the_same(pair: Pair) -> None:
    vlm, fast = pair
    given = ["a brown dog", "two", "no", "red", "", "a fence near the dog"]
    exact = score(vlm, read(vlm), PROMPTS, given)
    assert score(fast, read(fast), PROMPTS, given) == pytest.approx(exact, abs=2e-3)


def test_several_questions_about_one_picture(pair: Pair) -> None:
    vlm, fast = pair
    [one], [other] = read(vlm, [7]), read(fast, [7])
    for _ in range(2):  # fresh, then kept
        expected = greedy(vlm, [one] * 6, PROMPTS, 5, [0.5] * 6)
        assert_same(greedy(fast, [other] * 6, PROMPTS, 5, [0.5] * 6), expected)
    assert other.bytes == other.layers.nbytes == one.bytes


def test_it_sees_the_same_objects(pair: Pair) -> None:
    vlm, fast = pair
    for found, expected in zip(read(fast), read(vlm), strict=True):
        assert found.detections.counts == expected.detections.counts
        likely = pytest.approx(expected.detections.probabilities, abs=1e-4)
        assert found.detections.probabilities == likely
        names = [each.name for each in expected.detections.objects]
        assert [each.name for each in found.detections.objects] == names
    assert bool(vlm.object_names) == any(cache.detections.objects for cache in read(fast))


def test_texts_are_the_same_tokens(pair: Pair) -> None:
    vlm, fast = pair
    for text in ("Is it red?", f"{END} typed", "  ünïcode 🐕 ", ""):
        assert fast.tokens(text) == vlm.tokens(text)
        assert fast.text_of(fast.tokens(text)) == vlm.text_of(vlm.tokens(text))
    assert np.array_equal(fast.unwritable, vlm.unwritable.numpy())
    assert fast.end == vlm.end


def test_eight_bits_answer_nearly_the_same(hub: Path, tmp_path: Path) -> None:
    vlm = with_objects(hub)
    convert(copy.deepcopy(vlm), Calibration(), tmp_path)
    fast = OpenVinoVLM(tmp_path, threads=1)
    tokens = [vlm.tokens(prompt) for prompt in PROMPTS]
    exact = vlm.start(read(vlm), tokens).logprobs
    found = fast.start(read(fast), tokens).logprobs
    written = np.isfinite(exact)
    assert np.abs(found[written] - exact[written]).mean() < 0.1
    assert not np.array_equal(found, exact)


# --- from a profile, by way of the cache -----------------------------------------------------


@pytest.fixture
def path(hub: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A profile with a trained adapter, as somebody would write it, and a cache of its own."""
    monkeypatch.setenv("GLIMPSE_CACHE", str(tmp_path / "cache"))
    return trained_profile(tmp_path, hub)


@pytest.fixture(autouse=True)
def _threads_as_before() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def answers(path: Path, **options: Any) -> list[tuple[str, float]]:
    engine = load_engine(str(path), threads=1, **options)
    found = [engine.answer(photo(seed), QUESTIONS[seed]) for seed in range(4)]
    found.append(engine.caption(photo(1)))
    engine.close()
    return [(answer.text, answer.confidence) for answer in found]


SERVE = """
import os
import sys
from model.engine import load_engine
sys.path.insert(0, {tests!r})
import numpy as np
from PIL import Image
from dataclasses import dataclass

@dataclass(frozen=True)
class Photo:
    image: Image.Image
    digest: str

engine = load_engine({path!r}, threads=1, int8=False, runtime="openvino")
print(engine.answer(Photo(Image.new("RGB", (9, 9)), "a"), "Is it red?").text is not None)
engine.close()
print([name for name in ("torch", "transformers", "peft", "scipy") if sys.modules.get(name)])
print(sys.modules["openvino_telemetry"], os.listdir(os.environ["HOME"]))
"""


def test_a_profile_is_converted_once_and_then_serves_without_pytorch(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    profile = load_profile(path)
    assert runtime.needs_base(profile, "openvino", False) == (True, True)
    expected = answers(path, int8=False, runtime="torch")
    found = answers(path, int8=False, runtime="openvino")
    assert [text for text, _ in found] == [text for text, _ in expected]
    assert [sure for _, sure in found] == pytest.approx([sure for _, sure in expected], abs=1e-3)
    assert runtime.needs_base(profile, "openvino", False) == (False, False)
    monkeypatch.setattr("model.adapter.load_trained", lambda *_: pytest.fail("converted twice"))
    assert answers(path, int8=False, runtime="openvino") == found
    script = SERVE.format(path=str(path), tests=str(Path(__file__).parent))
    home = path.parent / "home"
    home.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "HOME": str(home)},
    )
    assert done.stdout == "True\n[]\nNone []\n"


def test_what_serves_has_its_model_converted_by_another_process(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    app = AppContext(environment={**os.environ, "GLIMPSE_RUNTIME": "openvino"})
    monkeypatch.setattr("model.adapter.load_trained", lambda *_: pytest.fail("converted here"))
    app.convert_apart(str(path))
    with app.engine(str(path), threads=1) as engine:
        assert engine.submit(photo(1), "Is it red?").result(20).text is not None
    with monkeypatch.context() as patched:
        patched.setattr(subprocess, "run", lambda *_, **__: pytest.fail("converted twice"))
        app.convert_apart(str(path))
    (tmp_path / "adapter/prefix.safetensors").write_bytes(b"damaged")
    with pytest.raises(SystemExit, match="1"):
        app.convert_apart(str(path))
    assert "is damaged" in capfd.readouterr().err


def test_a_converted_profile_serves_on_another_machine_without_its_base_weights(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = answers(path, runtime="openvino")
    there = tmp_path / "other machine"
    there.mkdir()
    shutil.copytree(tmp_path / "adapter", there / "adapter")
    shutil.copy(path, there / "mine.toml")  # which names base weights beside it
    (tmp_path / "cache").rename(there / "cache")
    monkeypatch.setenv("GLIMPSE_SHIPPED_CACHE", str(there / "cache"))
    for name in TITLES:
        monkeypatch.setitem(sys.modules, name, None)
    assert answers(there / "mine.toml", runtime="openvino") == found
    assert not (tmp_path / "cache").exists()


def test_what_conversion_needs_and_is_not_there_is_named(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for runtime_, advice in (("auto", "glimpse fetch"), ("torch", "runtime openvino")):
        for name in ("peft", "transformers"):
            with monkeypatch.context() as patched:
                patched.setitem(sys.modules, name, None)
                with pytest.raises(MissingLibraryError, match=f"{name}.*{advice}"):
                    load_engine(str(path), runtime=runtime_)
    (path.parent / "adapter/prefix.safetensors").write_bytes(b"damaged")
    with pytest.raises(AdapterError, match="is damaged"):
        load_engine(str(path), runtime="openvino")


def test_damaged_or_outdated_conversions_are_made_anew(path: Path) -> None:
    cache = path.parent / "cache/openvino"
    found = answers(path, runtime="openvino")
    [folder] = (each for each in cache.iterdir() if each.is_dir())
    network = folder / "language.xml"
    network.write_bytes(b"<" * network.stat().st_size)
    shutil.rmtree(folder / "compiled")
    assert answers(path, runtime="openvino") == found
    (folder / "vision.bin").unlink()
    assert answers(path, runtime="openvino") == found
    save_tiny_adapter(path.parent / "adapter", load_profile(path), calibration={})
    assert not converted.is_converted(load_profile(path))


def test_a_signal_reaches_its_handler_after_a_damaged_conversion(path: Path) -> None:
    answers(path, runtime="openvino")
    [folder] = (each for each in (path.parent / "cache/openvino").iterdir() if each.is_dir())
    network = folder / "vision.xml"
    network.write_bytes(b"<" * network.stat().st_size)
    shutil.rmtree(folder / "compiled")
    answers(path, runtime="openvino")
    heard: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _frame: heard.append(number))
    os.kill(os.getpid(), signal.SIGTERM)
    signal.signal(signal.SIGTERM, before)
    assert heard == [signal.SIGTERM]


def test_a_small_model_is_not_converted_unasked(path: Path) -> None:
    assert answers(path) == answers(path, runtime="torch")
    assert not converted.is_converted(load_profile(path))


def test_pytorch_does_what_openvino_cannot_unless_it_was_asked_for(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("no such operation")

    expected = answers(path, runtime="torch")
    monkeypatch.setattr(converted, "load_converted", fail)
    assert answers(path) == expected
    assert "OpenVINO cannot run this model" in caplog.text
    with pytest.raises(DeviceError, match="take the runtime torch"):
        load_engine(str(path), runtime="openvino")
    with pytest.raises(DeviceError, match="on the CPU only"):
        load_engine(str(path), runtime="openvino", device="cuda")
    with pytest.raises(DeviceError, match="There is no runtime"):
        load_engine(str(path), runtime="onnx")
