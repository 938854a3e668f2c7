"""`glimpse bench peers`: every shape answers with the wanted count, and figures are told right."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import torch
from cli_runner import CliRunner
from PIL import Image
from tiny_models import save_hub, save_tiny_adapter, tiny_profile, write_profile
from transformers import (
    BlipConfig,
    CLIPVisionConfig,
    GitConfig,
    GPT2Config,
    GPT2LMHeadModel,
    GPTNeoXConfig,
    GPTNeoXForCausalLM,
    SmolVLMConfig,
)

from bot.benchmarks import peer_models, peers
from bot.benchmarks.machine import Machine, measure_bandwidth, this_machine
from bot.benchmarks.peer_models import BlipPeer, GitPeer, GlimpsePeer, PrefixPeer, SmolVlmPeer
from bot.benchmarks.peers import Comparison, Kind, Peer, Timings, measure_peers
from bot.cli.bench import PEERS
from model.cache import silent

VIT: dict[str, Any] = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1}
VIT |= {"num_attention_heads": 2}
TINY = {**VIT, "image_size": 32, "patch_size": 8}
MACHINE = Machine("Some <processor>", 4, 2, "Linux x86_64", {"Python": "3.12", "torch": "2.13"})


def gpt2() -> GPT2LMHeadModel:
    return GPT2LMHeadModel(
        GPT2Config(vocab_size=60, n_positions=64, n_embd=16, n_layer=1, n_head=2)
    )


def gpt_neox() -> GPTNeoXForCausalLM:
    return GPTNeoXForCausalLM(GPTNeoXConfig(**VIT, vocab_size=60, max_position_embeddings=64))


def git() -> GitPeer:
    return GitPeer(1, GitConfig(vision_config=TINY, vocab_size=60, **VIT))


def blip() -> BlipPeer:
    text = {**VIT, "vocab_size": 60, "encoder_hidden_size": 16, "bos_token_id": 1}
    text |= {"sep_token_id": 2, "eos_token_id": 2, "pad_token_id": 0}
    return BlipPeer(1, BlipConfig(text_config=text, vision_config=TINY, projection_dim=16))


def smolvlm() -> SmolVlmPeer:
    text = {**VIT, "model_type": "llama", "vocab_size": 60, "pad_token_id": 2}
    return SmolVlmPeer(
        1, SmolVLMConfig(text_config=text, vision_config=TINY, scale_factor=2, image_token_id=59)
    )


@pytest.mark.parametrize(
    ("make", "follows"),
    [
        (lambda: PrefixPeer(1, CLIPVisionConfig(**TINY), gpt2()), True),
        (lambda: PrefixPeer(1, CLIPVisionConfig(**TINY), gpt_neox()), True),
        (git, False),
        (blip, False),
        (smolvlm, False),
    ],
)
def test_every_shape_writes_the_wanted_count(make: Callable[[], Peer], follows: bool) -> None:
    peer = make()
    peer.prepare()
    image = Image.new("RGB", (50, 40), "red")
    assert peer.caption(image) == 12
    assert peer.answer(image) == 2
    assert peer.follow_up() == (2 if follows else None)
    peer.close()


def test_shapes_have_their_published_sizes() -> None:
    def millions(*networks: Any) -> int:
        found = {id(each): each for network in networks for each in network.parameters()}
        return round(sum(each.numel() for each in found.values()) / 1e6)

    with torch.device("meta"):
        small, other = peer_models.clip_gpt2(1), peer_models.clip_pythia(1)
        assert (millions(small.tower), millions(small.language)) == (87, 124)
        assert millions(other.language) == 162
        assert millions(peer_models.git_base(1).model) == 177
        # Published as 247 and 385: the output's matrix, which is that of the embeddings, twice.
        two = peer_models.blip_base(1)
        assert (millions(two.captioner), millions(two.answerer)) == (224, 361)
        assert millions(peer_models.smolvlm(1).model) == 256


def test_the_command_offers_all_kinds() -> None:
    assert tuple(peer_models.all_kinds("starter", True, silent)) == PEERS


@pytest.mark.parametrize("runtime", ["openvino", "torch"])
def test_glimpse_writes_the_same_count(
    tmp_path: Path, runtime: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GLIMPSE_CACHE", str(tmp_path / "cache"))
    peer = GlimpsePeer(1, str(tiny(tmp_path)), runtime, int8=True, progress=silent)
    try:
        peer.prepare()
        assert peer.caption(Image.new("RGB", (50, 40), "red")) == 12
        assert peer.answer(Image.new("RGB", (50, 40), "blue")) == 2
        assert peer.follow_up() == 2
        engine = peer._engine
        assert (engine.prefix_misses, engine.prefix_hits) == (2, 1)
    finally:
        peer.close()


def tiny(folder: Path) -> Path:
    """The profile of a tiny model with an adapter."""
    save_hub(folder)
    save_tiny_adapter(folder / "adapter", tiny_profile(folder))
    return write_profile(
        folder / "tiny.toml", name="tiny", adapter=str(folder / "adapter"),
        tower={"kind": "clip", "source": str(folder / "clip"), "image_size": 32},
        mapper={"kind": "mlp", "hidden_size": 24, "shuffle": 2},
        language={"source": str(folder / "gpt-neox")},
    )  # fmt: skip


# --- how it is measured -----------------------------------------------------------------------


class FakePeer:
    def __init__(self, log: list[str], name: str, follows: bool = True, tokens: int = 12) -> None:
        self.log, self.name, self.follows, self.tokens = log, name, follows, tokens
        log.append(f"make {name}")

    def prepare(self) -> None:
        self.log.append(self.name)

    def caption(self, image: Image.Image) -> int:
        return self.tokens

    def answer(self, image: Image.Image) -> int:
        return 2

    def follow_up(self) -> int | None:
        return 2 if self.follows else None

    def close(self) -> None:
        self.log.append(f"close {self.name}")


def fakes(log: list[str]) -> dict[str, Kind]:
    return {
        "a": Kind("A", lambda _: FakePeer(log, "a")),
        "b": Kind("B", lambda _: FakePeer(log, "b", follows=False)),
    }


def ticking() -> Callable[[], float]:
    """A clock on which the first measurement takes 1 s, the next one 2 s and so on."""
    times = (n * (n + 1) / 2 for n in count())

    def pairs() -> Iterator[float]:
        before = next(times)
        for after in times:
            yield before
            yield after
            before = after

    each = pairs()
    return lambda: next(each)


def test_they_take_turns_after_a_turn_that_does_not_count() -> None:
    log: list[str] = []
    found = measure_peers(fakes(log), 1, 2, together=True, clock=ticking(), pause=0)
    assert log == ["make a", "a", "make b", "b", "a", "b", "a", "b", "close b", "close a"]
    assert found[0].seconds == {"caption": [7, 13], "answer": [8, 14], "follow_up": [9, 15]}
    assert found[1].seconds == {"caption": [10, 16], "answer": [11, 17]}


def test_where_memory_is_short_one_follows_the_other() -> None:
    log: list[str] = []
    measure_peers(fakes(log), 1, 2, together=False, clock=ticking(), pause=0)
    assert log == [*["make a", "a", "a", "a", "close a"], *["make b", "b", "b", "b", "close b"]]


def test_another_count_of_tokens_is_no_comparison() -> None:
    log: list[str] = []
    kinds = {"a": Kind("A", lambda _: FakePeer(log, "a", tokens=11))}
    with pytest.raises(RuntimeError, match="a wrote 11 tokens instead of 12"):
        measure_peers(kinds, 1, 1, together=True, pause=0)
    assert log[-1] == "close a"


def test_drawn_pictures_differ_and_can_be_drawn_again() -> None:
    one, same, other = (peers.draw_picture(number) for number in (1, 1, 2))
    assert one.size == (1280, 960)
    assert one.tobytes() == same.tobytes() != other.tobytes()


# --- what is told -----------------------------------------------------------------------------

SECONDS = {"caption": [0.2, 0.1, 9.0], "answer": [0.1] * 3, "follow_up": [0.05] * 3}
SLOWER = {"caption": [0.5, 9.0, 0.4], "answer": [0.3, 0.2, 0.1]}
FOUND = Comparison(
    MACHINE, True, 3, [Timings("glimpse", "Glimpse", SECONDS), Timings("git", "GIT", SLOWER)]
)


def test_the_table_tells_medians_and_ratios_of_medians() -> None:
    lines = peers.report_text(FOUND).splitlines()
    assert lines[:2] == [
        "Some <processor>, 4 cores, 2 threads",
        "Linux x86_64, Python 3.12, torch 2.13",
    ]
    assert "the median of 3, in turns; 12 tokens a caption, 2 an answer" in lines[2]
    assert lines[-3].split() == ["caption", "answer", "follow-up"]
    assert re.sub(r"\( +", "(", lines[-2]).split() == [
        "Glimpse", "0.200", "(1.00)", "0.100", "(1.00)", "0.050", "(1.00)"
    ]  # fmt: skip
    assert re.sub(r"\( +", "(", lines[-1]).split() == [
        "GIT", "0.500", "(2.50)", "0.200", "(2.00)", "-"
    ]  # fmt: skip


def test_json_has_all_of_it() -> None:
    found = json.loads(peers.report_json(FOUND))
    assert found["machine"]["versions"]["torch"] == "2.13"
    assert found["tokens"] == {"caption": 12, "answer": 2}
    assert (found["together"], found["rounds"]) == (True, 3)
    assert found["peers"][1] == {
        "name": "git", "title": "GIT", "seconds": SLOWER,
        "median": {"caption": 0.5, "answer": 0.2, "follow_up": None},
        "times": {"caption": 2.5, "answer": 2.0, "follow_up": None},
    }  # fmt: skip


def test_bars_of_the_picture_are_as_long_as_their_seconds() -> None:
    svg = ElementTree.fromstring(peers.report_picture(FOUND))
    name = "{http://www.w3.org/2000/svg}"
    bars = [float(each.get("width", "")) for each in svg.iter(f"{name}rect")][4:]
    assert [bar / bars[3] for bar in bars] == pytest.approx([0.4, 0.2, 0.1, 1, 0.4], abs=0.001)
    texts = [each.text for each in svg.iter(f"{name}text")]
    assert {"Glimpse", "GIT", "0.50 s (2.5 times)", "0.20 s (2.0 times)", "0.10 s"} <= {*texts}
    assert "Some <processor>, 4 cores, 2 threads" in texts
    height = float(svg.get("height", ""))
    assert all(float(each.get("y", "")) < height for each in svg.iter(f"{name}text"))


def test_the_command_writes_its_files(
    cli: CliRunner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kinds = {name: Kind(name.title(), lambda _: FakePeer([], "")) for name in PEERS}
    monkeypatch.setattr("bot.benchmarks.peer_models.all_kinds", lambda *_: kinds)
    files = ("--json", tmp_path / "x.json", "--picture", tmp_path / "x.svg")
    outcome = cli.run("bench", "peers", "--only", "git", "--only", "blip", "--rounds", "1",
                      *map(str, files))  # fmt: skip
    assert outcome.status == 0
    assert "Git" in outcome.out
    assert "Smolvlm" not in outcome.out
    found = json.loads((tmp_path / "x.json").read_text(encoding="utf-8"))
    assert [each["name"] for each in found["peers"]] == ["git", "blip"]
    assert (tmp_path / "x.svg").read_text(encoding="utf-8").startswith("<svg")


def test_files_are_refused_before_anything_is_measured(cli: CliRunner, tmp_path: Path) -> None:
    for command in ("peers", "decode"):
        outcome = cli.run("bench", command, "--json", str(tmp_path / "no/x.json"))
        assert outcome.status == 2
        assert "There is no folder" in outcome.err


# --- the machine ------------------------------------------------------------------------------


def test_the_machine_is_named_with_its_versions() -> None:
    machine = this_machine(3)
    assert machine.processor
    assert (machine.threads, machine.cores >= 1) == (3, True)
    assert set(machine.versions) == {"Python", "torch", "transformers", "openvino"}
    assert "3 threads" in str(machine)


def test_bandwidth_is_that_of_the_fastest_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.benchmarks.machine.READ_BYTES", 8000)
    times = iter([0.0, 0.1, 1.0, 5.0, 10.0, 12.0, 20.0, 24.0])
    assert measure_bandwidth(2, lambda: next(times)) == 4000  # 4, 2 and 4 s after the first
