"""`glimpse eval`: tables, files and plain errors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from cli_runner import CliRunner
from engine_stand_in import picture

from finetune.evaluation import runner
from model.errors import AdapterError


@pytest.fixture
def rows(cli: CliRunner, monkeypatch: pytest.MonkeyPatch) -> Path:
    (cli.folder / "images").mkdir()
    found: list[dict[str, Any]] = []
    for colour in ("red", "blue", "green"):
        cli.photo(colour, f"images/{colour}.png")
        image = {"image": f"{colour}.png", "split": "val"}
        found.append({**image, "question": "What colour?", "answers": [colour] * 9 + ["pink"]})
        found.append({**image, "captions": [f"A {colour} square [bold]", "a square thing"]})
    found[0] |= {"question_type": "[red]what", "question_id": 1}
    path = cli.folder / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in found), encoding="utf-8")
    monkeypatch.setattr(runner, "blank_picture", lambda: picture("black"))  # the stand-in knows it
    return path


def test_figures_go_to_the_terminal_to_json_and_to_a_page(cli: CliRunner, rows: Path) -> None:
    page, figures = cli.folder / "r.html", cli.folder / "r.json"
    outcome = cli.run(
        "eval", "fake", str(rows), "--split", "val", "--report", str(page), "--json", str(figures)
    )
    assert (outcome.status, cli.loaded[0][0]) == (0, "fake")
    (line,) = [line for line in outcome.out.splitlines() if line.split()[:2] == ["all", "3"]]
    assert line.split()[2:6] == ["100.0", "–", "0.0", "0.0"]  # noqa: RUF001
    assert "not by Stanford's PTB tokenizer" in " ".join(outcome.out.split())
    assert f"The report is in {page}." in outcome.out
    assert outcome.err.endswith("Asking: 100 %\n")
    told = json.loads(figures.read_text(encoding="utf-8"))
    assert told["questions"]["overall"]["model"]["value"] == 100
    assert told["questions"]["overall"]["majority"]["value"] == pytest.approx(100 / 3)
    assert told["captions"]["count"] == 3
    assert (told["seed"], told["split"]) == (0, "val")
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert cli.engine.closed


def test_repeated_questions_count_once_and_a_warning_says_so(cli: CliRunner, rows: Path) -> None:
    first = rows.read_text(encoding="utf-8").splitlines(keepends=True)[0]
    with rows.open("a", encoding="utf-8") as file:
        file.write(first)
    outcome = cli.run("eval", "fake", str(rows))
    assert outcome.err.startswith(
        "Warning: 1 row repeats the question_id and picture of an earlier one; "
        "each question counts once.\n"
    )
    assert "3 captions and 3 questions" in outcome.out


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--split", "test"], "has no rows of the split 'test' to evaluate."),
        (["--images", "/nowhere"], "There is no folder /nowhere of pictures; name it"),
        (["--report", "/nowhere/r.html"], "There is no folder /nowhere to write r.html in."),
        (["--log", "/nowhere.jsonl"], "The dataset file /nowhere.jsonl is missing."),
        (["--calibrate"], "at least 100 questions or 100 captions; here there are 3 and 3."),
        (["--clip", "/nowhere"], "There is no CLIP '/nowhere' on this machine"),
    ],
)
def test_what_cannot_be_done_is_said_before_the_model_is_loaded(
    cli: CliRunner, rows: Path, options: list[str], sentence: str
) -> None:
    outcome = cli.run("eval", "fake", str(rows), *options)
    assert (outcome.status, outcome.out, cli.loaded) == (1, "", [])
    assert sentence in outcome.err
    assert "Traceback" not in outcome.err


def test_missing_files_and_broken_models_are_plain_sentences(cli: CliRunner, rows: Path) -> None:
    gone = cli.run("eval", "fake", "/nowhere.jsonl")
    assert (gone.status, gone.err) == (1, "The dataset file /nowhere.jsonl is missing.\n")
    cli.trouble = AdapterError("There is no adapter in x.")
    assert cli.run("eval", "fake", str(rows)).err == "There is no adapter in x.\n"
    cli.trouble = None
    (cli.folder / "images/red.png").write_bytes(b"GIF89a")
    broken = cli.run("eval", "fake", str(rows))
    assert broken.status == 1
    assert f"The picture {cli.folder / 'images/red.png'} cannot be used: " in broken.err
    (cli.folder / "images/red.png").unlink()
    missing = cli.run("eval", "fake", str(rows))
    assert "1 of 3 pictures are missing in" in missing.err
