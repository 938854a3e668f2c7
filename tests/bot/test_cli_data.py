"""`glimpse data`, from what people have to what a recipe reads."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from cli_runner import CliRunner
from official_files import (
    annotation,
    answered,
    asked,
    coco_name,
    instances_file,
    karpathy,
    pictures,
    vqa_files,
)

from finetune.config import ObjectSources, Source, load_recipe
from finetune.sampler import read_source

SPLITS = {"1.jpg": "train", "2.jpg": "val", "3.jpg": "test"}


def test_a_recipe_reads_what_was_prepared(cli: CliRunner, tmp_path: Path) -> None:
    images = pictures(tmp_path / "Flicker8k_Dataset", [*SPLITS])
    captions = karpathy(tmp_path / "dataset_flickr8k.json", SPLITS)
    to = tmp_path / "datasets" / "flickr8k"
    command = ("data", "flickr8k", f"--images={images}", f"--captions={captions}", f"--to={to}")
    outcome = cli.run(*command, "--limit", "3")
    assert outcome.status == 0
    assert outcome.out == f"{to} is ready: 1 test, 1 train, 1 val.\n"
    assert "Warning: Expected 6,000 pictures in the split 'train', found 1.\n" in outcome.err
    assert cli.run(*command, "--limit", "3").out.startswith(f"{to} was ready already: ")
    source = Source(
        "flickr8k", ("flickr8k/captions.jsonl",), "flickr8k/images", captions=1,
        split_key="split", split="train",
    )  # fmt: skip
    (item,) = read_source(source, to.parent)
    assert item.image == "flickr8k/images/1.jpg"
    assert len(item.captions) == 5
    outcome = cli.run(*command, "--strict")
    assert outcome.status == 1
    assert outcome.err == "Expected 6,000 pictures in the split 'train', found 1.\n"


def test_questions_and_own_rows_are_prepared(cli: CliRunner, tmp_path: Path) -> None:
    images = pictures(tmp_path / "val2014", [coco_name("val2014", 42)])
    files = vqa_files(tmp_path, "val2014", [asked(42, 0)], [answered(42, 0)])
    options = (f"--questions={files[0]}", f"--annotations={files[1]}", f"--images={images}")
    outcome = cli.run("data", "vqav2", *options, f"--to={tmp_path / 'vqa'}")
    assert outcome.out == f"{tmp_path / 'vqa'} is ready: 1 val.\n"
    rows = tmp_path / "mine.jsonl"
    row = {"image": coco_name("val2014", 42), "question": "What is it?", "answer": "cat"}
    rows.write_text(json.dumps(row))
    outcome = cli.run(
        "data", "jsonl", f"--rows={rows}", f"--images={images}", f"--to={tmp_path / 'mine'}"
    )
    assert (outcome.status, outcome.err) == (0, "")


def test_objects_are_added_to_pictures_that_are_asked_about(cli: CliRunner, tmp_path: Path) -> None:
    ids, to, options = range(12), tmp_path / "vqav2", []
    for part, shown in (("train2014", ids), ("val2014", [42])):
        images = pictures(tmp_path / part, [coco_name(part, number) for number in shown])
        answers = [answered(number, 0) for number in shown]
        files = vqa_files(tmp_path, part, [asked(number, 0) for number in shown], answers)
        options += [f"--questions={files[0]}", f"--annotations={files[1]}", f"--images={images}"]
    assert cli.run("data", "vqav2", *options, f"--to={to}").status == 0
    things = [annotation(n, "dog" if n % 2 else "bus", [1, 1, 4, 3]) for n in ids]
    train = instances_file(tmp_path, "train2014", range(14), things)
    val = instances_file(tmp_path, "val2014", [42], [annotation(42, "tv", [0, 0, 2, 2])])
    command = ("data", "coco-objects", str(train), str(val), f"--to={to}")
    outcome = cli.run(*command)
    missing = ", ".join(coco_name("train2014", number) for number in (12, 13))
    assert (outcome.status, outcome.err) == (
        0, f"Warning: Pictures without a file: 2 ({missing}).\n",
    )  # fmt: skip
    assert outcome.out == f"{to} is ready: 12 train, 1 val.\n"
    source = Source(
        "vqav2", ("vqav2/vqa.jsonl",), "vqav2/images", boxes=2, split_key="split", split="train",
    )  # fmt: skip
    items = read_source(source, tmp_path, ObjectSources(("vqav2",)))
    assert {item.image for item in items} <= {
        f"vqav2/images/train2014/{coco_name('train2014', number)}" for number in ids
    }
    answers = [(q.question, q.answers[0][0]) for item in items for q in item.boxes]
    assert {answer for question, answer in answers if "bus" in question} >= {"yes", "no"}
    outcome = cli.run("data", "coco-objects", str(train), f"--to={tmp_path / 'new'}")
    assert outcome.status == 1
    assert outcome.err == (
        f"There are no pictures in {tmp_path / 'new/images'}; prepare the dataset first.\n"
    )


def test_shapes_are_drawn_for_who_has_nothing(cli: CliRunner, tmp_path: Path) -> None:
    outcome = cli.run("data", "shapes", f"--to={tmp_path / 'shapes'}", "--pictures=20")
    assert (outcome.status, outcome.err) == (0, "")
    assert outcome.out.startswith(f"{tmp_path / 'shapes'} is ready: ")
    source = load_recipe("tiny").sources[0]
    items = read_source(source, tmp_path)
    assert len(items) == 16
    assert all(item.captions and item.questions for item in items)


def test_trouble_is_a_sentence_and_bad_usage_a_hint(
    cli: CliRunner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    to = f"--to={tmp_path / 'to'}"
    images = f"--images={tmp_path}"
    monkeypatch.setitem(sys.modules, "datasets", None)
    for arguments, status, sentence in (
        (("flickr30k", to), 2, "Missing option '--images' (see glimpse data flickr30k --help)."),
        (("vqav2", to, images), 2, "Missing option '--questions' (see glimpse data vqav2 --help)."),
        (("flickr30k", "--from-hub", images, to), 2, "--from-hub does without files of"),
        (("vqav2", "--from-hub", to), 2, "Missing option '--images'"),
        (("vqav2", "--from-hub", "lmms-lab/VQAv2", to), 1, "pip install datasets."),
        (("vqav2", "--from-hub", images, to), 1, "pip install datasets."),
        (("jsonl", images, "--rows=no.jsonl", to), 1, "no.jsonl is missing or cannot be read."),
        (("coco-objects", to), 2, "Missing argument 'INSTANCES...'"),
    ):
        outcome = cli.run("data", *arguments)
        assert outcome.status == status
        assert sentence in outcome.err
        assert outcome.err.count("\n") == 1
    assert not (tmp_path / "to").exists()


@pytest.mark.parametrize("name", ["flickr8k", "flickr30k", "vqav2", "coco-objects", "jsonl"])
def test_every_dataset_has_help_with_an_example(cli: CliRunner, name: str) -> None:
    outcome = cli.run("data", name, "--help")
    assert outcome.status == 0
    assert f"Example: glimpse data {name} " in outcome.out
