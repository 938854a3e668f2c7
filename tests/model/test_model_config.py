"""Profiles: what is read, and one plain sentence for all that cannot be."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from pathlib import Path
from typing import Any

import pytest
from tiny_models import write_profile

from model.chat_config import load_chat
from model.config import ADAPTERS_FOLDER, PROFILES_FOLDER, DecodingConfig, load_profile
from model.errors import ProfileError
from model.server_config import load_remote

GOOD: dict[str, Any] = {
    "tower": {"kind": "clip", "source": "openai/clip-vit-base-patch32", "image_size": 224},
    "mapper": {"kind": "mlp"},
    "language": {"source": "EleutherAI/pythia-160m"},
}


def changed(section: str, **values: Any) -> dict[str, Any]:
    """The good profile with other values in a section."""
    return GOOD | {section: GOOD.get(section, {}) | values}


def without(section: str, key: str) -> dict[str, Any]:
    """The good profile without a key."""
    return GOOD | {section: {k: v for k, v in GOOD[section].items() if k != key}}


def refusal(path: str | Path) -> str:
    """The sentence that refuses a profile."""
    with pytest.raises(ProfileError) as caught:
        load_profile(path)
    sentence = str(caught.value)
    assert sentence.endswith(".")
    assert "\n" not in sentence
    return sentence


# --- what is read ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(p.stem for p in PROFILES_FOLDER.glob("*.toml")))
def test_every_shipped_profile_is_whole_and_named_like_its_file(name: str) -> None:
    assert (load_remote(name) or load_chat(name) or load_profile(name)).name == name


def test_a_minimal_profile_takes_its_name_from_the_file_and_defaults_for_the_rest(
    tmp_path: Path,
) -> None:
    profile = load_profile(write_profile(tmp_path / "mine.toml", **GOOD))
    assert (profile.name, profile.decoding, profile.adapter) == ("mine", DecodingConfig(), "")
    assert profile.tower.layer == -1
    with pytest.raises(FrozenInstanceError):
        profile.name = "other"  # type: ignore[misc]


def test_every_value_is_read(tmp_path: Path) -> None:
    table = changed(
        "decoding",
        answer_tokens=3,
        caption_beams=4,
        length_penalty=1,
        guidance_scale=0,
        polar_guidance_scale=1.5,
    )
    table |= {"name": "named"} | {"tower": GOOD["tower"] | {"layer": -2}}
    profile = load_profile(write_profile(tmp_path / "mine.toml", **table))
    assert profile.decoding == DecodingConfig(
        answer_tokens=3,
        caption_beams=4,
        length_penalty=1.0,
        guidance_scale=0.0,
        polar_guidance_scale=1.5,
    )
    assert (profile.name, profile.tower.layer) == ("named", -2)


def test_folders_are_found_beside_the_profile_and_hub_ids_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("towers/clip", "speech", "elsewhere"):
        (tmp_path / "profiles" / folder).mkdir(parents=True)
    table = changed("tower", source="towers/clip") | {"language": {"source": "./speech"}}
    write_profile(tmp_path / "profiles/mine.toml", **table)
    write_profile(tmp_path / "profiles/hub.toml", **GOOD)
    monkeypatch.chdir(tmp_path)
    profile = load_profile("profiles/mine.toml")
    assert profile.tower.source == str(tmp_path / "profiles/towers/clip")
    assert profile.language.source == str(tmp_path / "profiles/speech")
    assert load_profile("profiles/hub.toml").tower.source == GOOD["tower"]["source"]


def test_a_folder_in_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "clip").mkdir()
    write_profile(tmp_path / "mine.toml", **changed("tower", source="~/clip"))
    assert load_profile("~/mine.toml").tower.source == str(tmp_path / "clip")


@pytest.mark.parametrize("adapter", ["trained", "runs/1/adapter", "runs/not/yet"])
def test_an_adapter_folder_is_relative_to_the_profile(tmp_path: Path, adapter: str) -> None:
    if "not" not in adapter:
        (tmp_path / adapter).mkdir(parents=True)
    profile = load_profile(write_profile(tmp_path / "mine.toml", **GOOD, adapter=adapter))
    assert profile.adapter_folder == tmp_path / adapter


def test_a_bare_name_is_a_shipped_adapter_and_a_whole_path_stays(tmp_path: Path) -> None:
    assert load_profile("starter").adapter_folder == ADAPTERS_FOLDER / "starter"
    path = write_profile(tmp_path / "mine.toml", **GOOD, adapter=str(tmp_path / "x"))
    assert load_profile(path).adapter_folder == tmp_path / "x"


def test_a_profile_without_an_adapter_says_how_to_train_one(tmp_path: Path) -> None:
    profile = load_profile(write_profile(tmp_path / "mine.toml", **GOOD))
    with pytest.raises(ProfileError, match="'mine' has no trained adapter yet; train one with"):
        _ = profile.adapter_folder


# --- what is refused -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (
            "strater",
            "There is no profile 'strater'; known are clip-pythia, ollama, openai, pixtral",
        ),
        ("", "There is no profile ''"),
        ("nowhere/mine.toml", "There is no profile file 'nowhere/mine.toml'"),
        ("~nobody-at-all/mine.toml", "There is no profile file"),
        ("mine.toml", "There is no profile file 'mine.toml'"),
        ("../starter", "There is no profile file '../starter'"),
    ],
)
def test_an_unknown_profile(name: str, said: str) -> None:
    assert said in refusal(name)


def test_a_directory_is_no_profile(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").mkdir()
    assert "There is no profile file" in refusal(tmp_path / "mine.toml")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'name = "mine', "mine.toml is not valid TOML"),
        (b"[tower]\nkind = clip\n", "at line 2"),
        (b"\xff\xfe\x00", "mine.toml cannot be read"),
        (b"", "lacks the section [tower]"),
    ],
)
def test_a_file_that_is_no_toml(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "mine.toml").write_bytes(content)
    assert said in refusal(tmp_path / "mine.toml")


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (GOOD | {"towr": {}}, "Unknown key 'towr' in mine.toml; known are adapter, decoding,"),
        (changed("tower", imagesize=224), "Unknown key 'imagesize' in [tower] of mine.toml"),
        (changed("decoding", beams=2), "Unknown key 'beams' in [decoding]"),
        (without("tower", "image_size"), "'image_size' is missing in [tower]"),
        (without("language", "source"), "'source' is missing in [language]"),
        ({k: v for k, v in GOOD.items() if k != "mapper"}, "lacks the section [mapper]"),
        (GOOD | {"language": "pythia"}, "lacks the section [language]"),
        (GOOD | {"decoding": 3}, "lacks the section [decoding]"),
        (GOOD | {"name": 3}, "name = 3 in mine.toml should be of type str"),
        (GOOD | {"adapter": True}, "adapter = True in mine.toml should be of type str"),
        (changed("tower", image_size="224"), "image_size = '224' in [tower]"),
        (changed("tower", image_size=224.0), "should be of type int"),
        (changed("tower", image_size=True), "should be of type int"),
        (changed("tower", source=""), "source in [tower] of mine.toml is empty"),
        (changed("language", source=["a"]), "should be of type str"),
        (changed("mapper", dropout=float("nan")), "dropout = nan in [mapper]"),
        (changed("decoding", length_penalty=float("inf")), "length_penalty = inf"),
        (changed("tower", kind="resnet"), "is not one of efficientnet-lite, clip, vit, dinov2"),
        (changed("mapper", kind="linear"), "kind = 'linear' in [mapper]"),
        (changed("mapper", tags=-1), "tags = -1 in [mapper] of mine.toml must not be negative"),
        (changed("mapper", quarter_tags=1), "quarter_tags in [mapper] of mine.toml needs tags"),
        (changed("mapper", kind="resampler", colours=1), "colours in [mapper] of mine.toml needs"),
        (changed("mapper", dropout=1), "dropout in [mapper] of mine.toml must be less than 1"),
        (changed("tower", image_size=0), "image_size in [tower] of mine.toml must be at least 1"),
        (changed("mapper", hidden_size=0), "hidden_size in [mapper]"),
        (changed("mapper", queries=0), "queries in [mapper]"),
        (changed("decoding", answer_tokens=0), "answer_tokens in [decoding]"),
        (changed("decoding", caption_beams=0), "caption_beams in [decoding]"),
        (changed("decoding", guidance_scale=-0.5), "guidance_scale = -0.5 in [decoding]"),
    ],
)
def test_a_typo_or_an_impossible_value(tmp_path: Path, table: dict[str, Any], said: str) -> None:
    assert said in refusal(write_profile(tmp_path / "mine.toml", **table))


@pytest.mark.parametrize("value", [-2, -1.5])
def test_a_negative_length_penalty_and_layer_have_a_meaning(tmp_path: Path, value: float) -> None:
    table = changed("decoding", length_penalty=value)
    assert load_profile(
        write_profile(tmp_path / "mine.toml", **table)
    ).decoding.length_penalty == float(value)
