"""What answers cost: as servers tell it, as it is estimated, and what a day's budget covers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from far_server import far_server
from llmock.pytest_plugin import LLMock
from PIL import Image

from model.budget import BudgetConfig, estimated_usage, told_usage
from model.errors import ProfileError
from model.remote import RemoteEngine
from model.requests import NO_USAGE, Usage
from model.server_config import RemoteProfile, ServerConfig, load_remote

TOML = 'kind = "openai"\n[server]\nurl = "http://x.example/v1"\nmodel = "m"\n'


def test_each_limit_holds_by_itself() -> None:
    prices = {"euros_per_million_prompt": 1.0, "euros_per_million_completion": 10.0}
    used = Usage(90_000, 1_000)  # ten cents
    assert BudgetConfig().covers(used, used)
    assert BudgetConfig(tokens=91_001).covers(used, used)
    assert not BudgetConfig(tokens=91_000).covers(NO_USAGE, used)
    assert not BudgetConfig(tokens_per_person=91_000).covers(used, used)
    assert BudgetConfig(tokens_per_person=91_000).covers(NO_USAGE, used)
    assert BudgetConfig(**prices).cost(used) == pytest.approx(0.1)
    assert BudgetConfig(euros=0.11, **prices).covers(used, used)
    assert not BudgetConfig(euros=0.09, **prices).covers(NO_USAGE, used)
    assert not BudgetConfig(euros_per_person=0.09, **prices).covers(used, used)
    assert BudgetConfig(euros_per_person=0.09, **prices).covers(NO_USAGE, used)


@pytest.mark.parametrize(
    ("told", "usage"),
    [
        ({"usage": {"prompt_tokens": 7, "completion_tokens": 2}}, Usage(7, 2)),
        ({"usage": {"prompt_tokens": 0, "completion_tokens": 0}}, None),
        ({"usage": {"prompt_tokens": -1, "completion_tokens": 2}}, None),
        ({"usage": {"prompt_tokens": "7", "completion_tokens": 2}}, None),
        ({"usage": None}, None),
        ({}, None),
    ],
)
def test_what_a_server_tells_is_believed_if_it_can_be(told: Any, usage: Usage | None) -> None:
    assert told_usage(told) == usage


def test_an_estimate_counts_the_picture_and_the_words() -> None:
    assert estimated_usage((1024, 768), ["x" * 30], "y" * 9) == Usage(64 * 48 + 10, 3)


class Shown:
    image = Image.new("RGB", (1600, 1600), "red")
    digest = "0" * 64


def usage_at(url: str, **values: Any) -> Usage:
    config = ServerConfig(url, "gpt-4o-mini", **{"retries": 0, "longest_side": 320, **values})
    engine = RemoteEngine(RemoteProfile("far", "openai", config))
    try:
        usage = engine.submit(Shown(), "What?").result(20).usage
        assert usage
        return usage
    finally:
        engine.close()


@pytest.mark.parametrize("stream", [True, False])
def test_another_ones_server_tells_what_an_answer_cost(llmock: LLMock, stream: bool) -> None:
    llmock.reply("It is red, all over.")
    usage = usage_at(llmock.base_url(), stream=stream)
    assert 0 < usage.completion < 50
    assert usage.prompt > 0


def test_a_server_that_tells_nothing_is_estimated() -> None:
    with far_server() as server:
        usage = usage_at(server.url, stream=False)
    assert usage.prompt > 20 * 20
    assert usage.completion == 4  # "far: What?"


def test_a_profile_has_a_budget(tmp_path: Path) -> None:
    path = tmp_path / "far.toml"
    path.write_text(TOML + "[budget]\ntokens = 5\n")
    found = load_remote(path)
    assert found
    assert found.budget == BudgetConfig(tokens=5)
    for toml, said in (
        ("euros = 1.0", "needs euros_per_million_prompt"),
        ("token = 1", r"Unknown key 'token' in \[budget\] of far.toml"),
        ("tokens = -1", "must not be negative"),
    ):
        path.write_text(f"{TOML}[budget]\n{toml}\n")
        with pytest.raises(ProfileError, match=said):
            load_remote(path)
