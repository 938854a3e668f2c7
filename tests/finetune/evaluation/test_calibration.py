"""`glimpse eval --calibrate`: confidences of a tiny model are fitted anew, and nothing else is."""

from __future__ import annotations

import os
import random
import tomllib
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from tiny_data import write_profile, write_rows
from tiny_models import save_tiny_adapter

from bot.cli.main import main
from data.images.open import read_picture
from finetune.evaluation import calibration
from finetune.evaluation.calibration import (
    LEAST,
    PlattScaling,
    calibrate,
    logprob,
    save_calibration,
)
from finetune.evaluation.metrics import calibration_error
from model.confidence import Calibration
from model.config import load_profile
from model.engine import load_engine

OLD = {"answer_slope": 0.4, "answer_offset": 9.0, "caption_slope": 3.0, "captions": 7}
COUNT = 120


def test_a_calibration_is_undone() -> None:
    for slope, offset in [(1.0, 0.0), (1.6517, 0.9874), (-0.3, -2.0)]:
        made = Calibration(slope, offset)
        for value in (0.0, -1e-6, -0.5, -7.0, -20.0):
            confidence = made.confidence(value, caption=False)
            assert logprob(confidence, slope, offset) == pytest.approx(value, abs=1e-6)
    assert logprob(0.0) == logprob(1e-300) == LEAST
    assert (logprob(1.0), logprob(0.0, -1.0)) == (0.0, 0.0)


def test_a_curve_is_found_again() -> None:
    rng = random.Random(1)
    logprobs = [-rng.expovariate(0.5) for _ in range(4000)]
    truth = Calibration(1.5, 0.8)
    right = [float(rng.random() < truth.confidence(x, caption=False)) for x in logprobs]
    found = calibrate(logprobs, right)
    assert (found.slope, found.offset) == (pytest.approx(1.5, abs=0.2), pytest.approx(0.8, abs=0.2))
    unfitted = [Calibration().confidence(x, caption=False) for x in logprobs]
    assert found.error < 0.03 < calibration_error(unfitted, right)
    assert found.count == 4000


def test_the_card_stays_what_it_was_but_for_the_calibration(tmp_path: Path) -> None:
    shipped = load_profile("starter").adapter_folder / "adapter.toml"
    path = tmp_path / "adapter.toml"
    path.write_bytes(shipped.read_bytes())
    path.chmod(0o640)
    old = tomllib.loads(path.read_text(encoding="utf-8"))
    section = save_calibration(tmp_path, {"answer": PlattScaling(2.00004, -1, 0.05, 300)})
    new = tomllib.loads(path.read_text(encoding="utf-8"))
    changed = {"answer_slope": 2.0, "answer_offset": -1, "answer_error": 0.05, "answers": 300}
    assert new == old | {"calibration": old["calibration"] | changed}
    assert section == new["calibration"]
    assert ([*tmp_path.iterdir()], path.stat().st_mode & 0o777) == ([path], 0o640)


@pytest.fixture
def profile(tmp_path: Path, hub: Path) -> Path:
    path = write_profile(tmp_path, hub, adapter="adapter", mapper={
        "kind": "mlp", "hidden_size": 24, "shuffle": 2,
    })  # fmt: skip
    save_tiny_adapter(tmp_path / "adapter", load_profile(str(path)), training={"steps": 3})
    return path


def ask_all(profile: Path, images: Path) -> tuple[list[dict[str, Any]], list[float]]:
    """Rows whose right answers are often the model's, the surer it is; its log-probabilities."""
    engine = load_engine(str(profile), threads=1)  # its card has no calibration yet
    names = sorted(path.name for path in images.iterdir())
    rows, logprobs, rng = [], [], random.Random(2)
    for number in range(COUNT):
        name, question = names[number % len(names)], f"Is there a dog {number}?"
        said = engine.answer(read_picture(images / name), question)
        logprobs.append(logprob(said.confidence))
        gold = said.text if rng.random() < said.confidence**0.2 else "nothing of that"
        rows.append({"image": name, "question": question, "answers": [gold]})
    engine.close()
    return rows, logprobs


def test_the_confidence_is_fitted_to_a_dataset(
    tmp_path: Path, data: Path, profile: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows, logprobs = ask_all(profile, data / "images")
    card = tmp_path / "adapter/adapter.toml"
    before = tomllib.loads(card.read_text(encoding="utf-8"))
    card.write_text(tomli_w.dumps(before | {"calibration": OLD}), encoding="utf-8")
    path = tmp_path / "rows.jsonl"
    write_rows(path, [*rows, {"image": "val_9.png", "captions": ["a wall"]}])
    command = ["eval", str(profile), str(path), "--images", str(data / "images")]
    assert main([*command, "--calibrate"]) == 0
    said = capsys.readouterr().out.splitlines()[-1]
    right = [float(row["answers"] != ["nothing of that"]) for row in rows]
    old = [Calibration(0.4, 9.0).confidence(x, caption=False) for x in logprobs]
    fitted = calibrate(logprobs, right)
    assert fitted.error < calibration_error(old, right)
    assert said == (
        f"Calibrated on {COUNT} answers, calibration error {calibration_error(old, right):.3f} "
        f"before and {fitted.error:.3f} now (two-fold cross-validated), in {tmp_path / 'adapter'}."
    )
    after = tomllib.loads(card.read_text(encoding="utf-8"))
    made = after.pop("calibration")
    assert after == before
    assert made == OLD | {
        "answer_slope": pytest.approx(fitted.slope, abs=1e-3),
        "answer_offset": pytest.approx(fitted.offset, abs=1e-3),
        "answer_error": pytest.approx(fitted.error, abs=1e-3),
        "answers": COUNT,
    }
    assert main([*command, "--calibrate"]) == 0  # from the new one, too, the same is found
    again = tomllib.loads(card.read_text(encoding="utf-8"))["calibration"]
    assert again == {key: pytest.approx(value, abs=1e-2) for key, value in made.items()}


def test_what_cannot_be_calibrated_is_refused_and_nothing_is_changed(
    tmp_path: Path,
    data: Path,
    profile: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    card = tmp_path / "adapter/adapter.toml"
    whole = card.read_bytes()
    command = ["eval", str(profile), str(data / "vqa.jsonl"), "--calibrate"]
    assert main(command) == 1
    assert "A calibration needs at least 100 questions" in capsys.readouterr().err
    monkeypatch.setattr(calibration, "FEWEST", 10)
    with monkeypatch.context() as patch:
        patch.setattr(os, "access", lambda path, _: path != card.parent)  # root may write it
        assert main(command) == 1
    assert capsys.readouterr().err == (
        f"The adapter cannot be calibrated, as its folder {tmp_path / 'adapter'} cannot be written "
        "to; copy it to a folder of yours, and name that in a profile of yours.\n"
    )
    assert card.read_bytes() == whole
    flat = tomllib.loads(card.read_text(encoding="utf-8")) | {"calibration": {"answer_slope": 0}}
    card.write_text(tomli_w.dumps(flat), encoding="utf-8")
    whole = card.read_bytes()
    assert main(command) == 1
    assert "makes all answers equally sure; remove the section" in capsys.readouterr().err
    assert card.read_bytes() == whole
