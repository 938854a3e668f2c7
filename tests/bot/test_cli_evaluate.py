"""`glimpse eval`: tables, files and plain errors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from cli_runner import CliRunner
from engine_stand_in import picture

from bot.cli import main
from bot.cli.context import AppContext
from finetune.evaluation import runner
from model.errors import AdapterError, DeviceError
from model.runtime import find_device


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


def test_result_files_for_servers_are_written_and_few_answers_are_told(
    cli: CliRunner, rows: Path
) -> None:
    with rows.open("a", encoding="utf-8") as file:
        for number, more in enumerate(({"answers": ["red", "x", "y"]}, {})):
            row = {"image": "red.png", "question": f"Colour {number}?", "question_id": 9 + number}
            file.write(json.dumps(row | more) + "\n")
    unasked = cli.run("eval", "fake", str(rows))
    assert "Warning: 1 row without an answer is left out." in unasked.err
    assert "1 of 4 questions have at most three answers" in " ".join(unasked.out.split())
    lines = rows.read_text().splitlines(keepends=True)
    rows.write_text("".join(line for line in lines if '"question_id"' in line))
    results, figures = cli.folder / "vqa.json", cli.folder / "figures.json"
    outcome = cli.run(
        "eval", "fake", str(rows), "--vqa-results", str(results), "--json", str(figures)
    )
    assert outcome.status == 0
    assert json.loads(results.read_text()) == [
        {"question_id": number, "answer": "red"} for number in (1, 9, 10)
    ]
    told = json.loads(figures.read_text())
    assert (told["few_answers"], told["questions"]["overall"]["count"]) == (1, 2)


def test_a_test_split_alone_is_asked_for_its_results_only(cli: CliRunner, rows: Path) -> None:
    rows.write_text(json.dumps({"image": "red.png", "question": "Colour?", "question_id": 5}))
    refused = cli.run("eval", "fake", str(rows))
    assert (refused.status, cli.loaded) == (1, [])
    assert "--vqa-results" in refused.err
    results = cli.folder / "results.json"
    outcome = cli.run("eval", "fake", str(rows), "--vqa-results", str(results))
    assert outcome.status == 0
    assert json.loads(results.read_text()) == [{"question_id": 5, "answer": "red"}]


def test_the_device_is_passed_on_and_one_that_is_not_there_is_said(
    cli: CliRunner, rows: Path
) -> None:
    places: list[str] = []

    def load(*arguments: Any, **options: Any) -> Any:
        places.append(options["device"])
        return cli.load(*arguments)

    assert main(["eval", "fake", str(rows), "--device", "cuda"], AppContext(load, {})) == 0
    assert places == ["cuda"]
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    for name, sentence in (("cuda", "PyTorch finds no GPU here"), ("gpu7", "There is no device")):
        with pytest.raises(DeviceError, match=sentence):
            find_device(name)


def test_ctrl_c_has_a_word(cli: CliRunner, rows: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_arguments: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr("finetune.evaluation.runner.ask_dataset", interrupted)
    outcome = cli.run("eval", "fake", str(rows))
    assert outcome.status == 130
    assert outcome.err.endswith("Stopped; nothing was written.\n")
