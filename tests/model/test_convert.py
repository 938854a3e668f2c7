from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import gguf
import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from model import convert, pretrained, progress, wheels

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
    convert.convert_language_model(source / "tiny.gguf", out, done.append)
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


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_sees_a_bar_and_a_file_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for stream in (Terminal(), io.StringIO()):
        monkeypatch.setattr(sys, "stderr", stream)
        with progress.step("Downloading", 200) as update:
            update(50)
            update(900)
        if stream.isatty():
            assert "100%" in stream.getvalue()
            assert "450%" not in stream.getvalue()
        else:
            assert stream.getvalue() == "Downloading...\n"


def test_a_file_that_pip_just_moved_does_not_stop_the_progress(tmp_path: Path) -> None:
    (tmp_path / "unpack").mkdir()
    (tmp_path / "unpack" / "a.whl").write_bytes(b"12345")
    (tmp_path / "b.whl").symlink_to(tmp_path / "gone")
    assert wheels._largest_wheel(tmp_path) == 5


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
