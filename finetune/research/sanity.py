"""Small trainings that prove that training works; each is asked as `glimpse batch` would.

    python -m finetune.research.sanity overfit --data FOLDER [--steps N] [--run FOLDER]
    python -m finetune.research.sanity easy-vqa [--steps N] [--run FOLDER]
    python -m finetune.research.sanity feedback --data FOLDER --run FOLDER [--pictures 60]

overfit: can a model learn by heart? It trains on 64 real pictures, half of them Flickr8k's with
questions derived from their captions, half COCO's with questions that people asked, and is asked
the same questions again. Exit status 0 if more than 95 % of the answers are right.

easy-vqa: does a model learn to look? The package easy-vqa (MIT, on PyPI) has pictures of one
coloured shape, and questions of which the text alone answers 67 %. The starter's frozen tower, a
new mapper and LoRA are trained for minutes on 2 CPU cores. Exit status 0 if at least 90 % are right
with pictures and at most 70 % with shuffled ones.

feedback: what does the recipe `feedback` learn of corrections, and what is lost? People are played
by the validation set: pictures of some of its questions are shared, with what the starter answers,
and with people's answer where it is wrong. Other questions, and captions, tell what was lost.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from data.datasets.records import QuestionRecord
from data.errors import DataError
from finetune.config import Lora, Recipe, Schedule, Source, load_recipe
from finetune.errors import FinetuneError
from finetune.evaluation.dataset import Item, derange, read_dataset
from finetune.evaluation.metrics import CaptionScorer
from finetune.evaluation.runner import Reply, ask_profile
from finetune.evaluation.vqa_accuracy import mean_accuracy, vqa_accuracy
from finetune.progress import StepReport
from finetune.sampler import ImageTexts, read_source
from finetune.trainer import Trainer
from model.config import load_profile, save_profile
from model.errors import ModelError

TARGETS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
TEXTS = 12  # learnt each time a picture is seen, if there are so many
START = "starter"
OVERFIT = 95.0  # percent that must be right
WITH_PICTURES, SHUFFLED = 90.0, 70.0  # of easy-vqa: what must be reached, what must not be passed
LONG = 100  # steps from which on compiling, which takes a minute, pays
PER_PICTURE = 2  # questions, to overfit
DERIVED = Source(
    "flickr8k", ("flickr8k/captions.jsonl",), "flickr8k/images", derived=PER_PICTURE,
    split_key="split", split="train",
)  # fmt: skip
ASKED = Source(
    "vqa", ("coco/vqa.jsonl",), "coco/images", questions=PER_PICTURE, prefix="COCO_train2014"
)


def main() -> int:
    """Run the check that the command line names; returns the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    checks = parser.add_subparsers(required=True)
    for name, run, steps, pictures in (
        ("overfit", check_overfit, 200, 64), ("easy-vqa", check_easy_vqa, 600, 1000),
        ("feedback", check_feedback, 0, 60),
    ):  # fmt: skip
        check = checks.add_parser(name)
        check.set_defaults(check=run)
        if run is not check_easy_vqa:
            check.add_argument("--data", type=Path, required=True, help="the data folder")
        check.add_argument("--run", type=Path, required=not steps, help="keep everything there")
        check.add_argument("--pictures", type=int, default=pictures, help="learnt, or shared")
        if steps:
            check.add_argument("--steps", type=int, default=steps)
        else:
            check.add_argument("--recipe", default="feedback")
            check.add_argument("--captions", type=int, default=250, help="that are compared")
        if run is check_easy_vqa:
            check.add_argument("--test-pictures", type=int, default=200, help="asked about")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="glimpse-") as temporary:
        options.run = options.run or Path(temporary) / "run"
        status: int = options.check(options)
    return status


def one_sentence(main: Callable[[], int]) -> int:
    """Run a script; what goes wrong becomes one sentence on stderr and status 1."""
    try:
        return main()
    except (DataError, FinetuneError, ModelError) as error:
        print(error, file=sys.stderr)
        return 1


# --- shared -------------------------------------------------------------------------------------


def learn(  # noqa: PLR0917
    root: Path,
    run: Path,
    items: Sequence[Item],
    schedule: Schedule,
    base: str = START,
    compiled: bool = False,
) -> str:
    """Train a fresh adapter on questions.

    Args:
        root: The data folder.
        run: Folder of the run; the questions, the profile and the adapter are written into it. A
            run that was stopped goes on.
        items: What to learn, about pictures below `root`.
        schedule: How long and how fast.
        base: The profile whose base weights are used.
        compiled: As in `Recipe`.

    Returns:
        The path of a profile that answers with the new adapter.
    """
    run.mkdir(parents=True, exist_ok=True)
    questions = (run / "questions.jsonl").resolve()
    rows = (
        {"image": it.image.relative_to(root).as_posix(), "question": it.question,
         "answers": it.golds} for it in items
    )  # fmt: skip
    questions.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    recipe = Recipe(
        name=run.name,
        profile=write_profile(run, base),
        schedule=schedule,
        sources=(Source("questions", (str(questions),), ".", questions=TEXTS),),
        lora=Lora(16, 32, 0.0, TARGETS),
        text_tokens=160,
        compiled=compiled,
    )
    trainer = Trainer(recipe, root, run, report=print_report, encoding=print_encoding)
    trainer.train(resume=trainer.checkpoint.path.exists())
    return recipe.profile


def write_profile(run: Path, base: str) -> str:
    """The base's profile with the adapter that the run will write."""
    profile = load_profile(base)
    mapper = replace(profile.mapper, words=0, objects=0)  # nothing here to learn either from
    path = (run / "profile.toml").resolve()
    save_profile(replace(profile, name=run.name, adapter="adapter", mapper=mapper), path)
    return str(path)


def accuracy(items: Sequence[Item], profile: str) -> float:
    """VQA accuracy of a profile's answers, 0..100."""
    texts = [reply.text for reply in ask_profile(profile, items)]
    return mean_accuracy(texts, [item.golds for item in items])


def with_other_pictures(items: Sequence[Item]) -> list[Item]:
    """The same questions about pictures that they were not asked of."""
    other = derange([str(item.image) for item in items])
    return [replace(item, image=Path(other[str(item.image)])) for item in items]


def print_report(report: StepReport) -> None:
    """Tell on stderr where a run stands."""
    print(
        f"step {report.step} of {report.steps}, loss {report.loss:.3f}, "
        f"{report.seconds / 60:.1f} min",
        file=sys.stderr,
        flush=True,
    )


def print_encoding(done: int, total: int, _size: int) -> None:
    """Tell on stderr that pictures are encoded, once."""
    if not done:
        print(f"Encoding {total} pictures...", file=sys.stderr, flush=True)


# --- overfit ------------------------------------------------------------------------------------


def check_overfit(options: argparse.Namespace) -> int:
    """Train on few pictures, and ask the same again."""
    root = options.data.resolve()
    items = choose_questions(root, options.pictures)
    schedule = Schedule(
        options.steps, mapper_steps=10, warmup_steps=10, pictures=16, mapper_rate=2e-3,
        lora_rate=1e-3, checkpoint_steps=100,
    )  # fmt: skip
    profile = learn(root, options.run, items, schedule)
    right, shuffled = accuracy(items, profile), accuracy(with_other_pictures(items), profile)
    pictures = len({item.image for item in items})
    print(f"{len(items)} questions about {pictures} pictures, after {options.steps} steps:")
    print(f"{right:.1f} % right; with shuffled pictures {shuffled:.1f} %.")
    return 0 if right > OVERFIT else 1


def choose_questions(root: Path, pictures: int) -> list[Item]:
    """Two questions about each picture; of derived ones, one for yes or no and one other."""

    def questions(it: ImageTexts) -> Sequence[QuestionRecord]:
        return it.questions[:PER_PICTURE] if it.questions else [*it.polar[:1], *it.open[:1]]

    chosen: list[Item] = []
    for source, count in ((DERIVED, pictures // 2), (ASKED, pictures - pictures // 2)):
        pool = [it for it in read_source(source, root) if len(questions(it)) == PER_PICTURE]
        for it in pool[:: max(1, len(pool) // count)][:count]:
            for asked in questions(it):
                chosen.append(Item(root / it.image, asked.question, (asked.answers[0][0],)))
    return chosen


# --- easy-vqa -----------------------------------------------------------------------------------


def check_easy_vqa(options: argparse.Namespace) -> int:
    """Train on easy-vqa, and blind the model."""
    figures = easy_vqa(options.run, options.steps, options.pictures, options.test_pictures)
    print("| easy-vqa, EfficientNet-Lite2 + mapper + LoRA SmolLM2-135M | |\n|---|---|")
    for name, value in figures.items():
        print(f"| {name} | {value:.4g} |")
    good = figures["with pictures"] >= WITH_PICTURES and figures["shuffled pictures"] <= SHUFFLED
    print("Good." if good else f"Wanted: at least {WITH_PICTURES}, shuffled at most {SHUFFLED}.")
    return 0 if good else 1


def easy_vqa(
    run: Path, steps: int, pictures: int, test_pictures: int, base: str = START
) -> Mapping[str, float]:
    """Train on the first pictures of one split, ask about those of the other; accuracies 0..100."""
    root = (run / "data").resolve()
    train, test = (_copy(split, count, root) for split, count in
                   (("train", pictures), ("test", test_pictures)))  # fmt: skip
    schedule = Schedule(
        steps, mapper_steps=10, warmup_steps=10, pictures=8, mapper_rate=2e-3, lora_rate=8e-4,
        checkpoint_steps=100,
    )  # fmt: skip
    profile = learn(root, run, train, schedule, base, compiled=steps > LONG)
    golds = [item.golds for item in test]
    return {
        "with pictures": accuracy(test, profile),
        "shuffled pictures": accuracy(with_other_pictures(test), profile),
        "always yes": mean_accuracy(["yes"] * len(golds), golds),
        "question only": mean_accuracy(blind_answers(train, test), golds),
        "questions": len(test),
    }


def blind_answers(train: Sequence[Item], test: Sequence[Item]) -> list[str]:
    """The answer that each question's text most often had in training."""
    seen: dict[str | None, Counter[str]] = {}
    for item in train:
        seen.setdefault(item.question, Counter())[item.golds[0]] += 1
    unseen = Counter({"yes": 1})
    return [seen.get(item.question, unseen).most_common(1)[0][0] for item in test]


def _copy(split: str, count: int, root: Path) -> list[Item]:
    """Copy the first pictures of a split; returns their questions."""
    import easy_vqa as package

    questions, answers, numbers = getattr(package, f"get_{split}_questions")()
    paths = dict(sorted(getattr(package, f"get_{split}_image_paths")().items())[:count])
    folder = root / split
    folder.mkdir(parents=True, exist_ok=True)
    for path in paths.values():
        shutil.copy(path, folder)
    return [
        Item(folder / Path(paths[number]).name, question, (answer,))
        for question, answer, number in zip(questions, answers, numbers, strict=True)
        if number in paths
    ]


# --- feedback -----------------------------------------------------------------------------------


def check_feedback(options: argparse.Namespace) -> int:
    """Correct the starter where it is wrong, train on that, and compare before and after."""
    coco, flickr = options.data / "coco", options.data / "flickr8k"
    asked = read_dataset(coco / "vqa.jsonl", coco / "images", "val2014").questions
    chosen = sorted({item.image for item in asked})[::7][: options.pictures]
    shared = [item for item in asked if item.image in chosen]
    others = [item for item in asked if item.image not in chosen]
    described = [Item(image, None, ()) for image in chosen]
    replies = ask_profile(START, [*shared, *described])
    write_feedback(options.run / "data", [*shared, *described], replies, options.data)
    trainer = Trainer(
        load_recipe(options.recipe), options.run / "data", options.run, report=print_report
    )
    trainer.train(resume=trainer.checkpoint.path.exists())
    after = str((options.run / "profile.toml").resolve())
    scores = [vqa_accuracy(r.text, it.golds) for it, r in zip(shared, replies, strict=False)]
    wrong = [item for item, score in zip(shared, scores, strict=True) if score < 0.5]
    right = [item for item in shared if item not in wrong]
    captions = read_dataset(flickr / "captions.jsonl", flickr / "images", "val").captions
    captions = captions[: options.captions]
    rows = [
        ("put right", len(wrong), 0.0, accuracy(wrong, after)),
        ("right before", len(right), 100.0, accuracy(right, after)),
        ("others", len(others), accuracy(others, START), accuracy(others, after)),
        ("CIDEr", len(captions), cider(captions, START), cider(captions, after)),
    ]
    for name, count, before, now in rows:
        print(f"{name:14} {count:5}   before {before:6.2f}   after {now:6.2f}")
    return 0


def write_feedback(
    folder: Path, items: Sequence[Item], replies: Sequence[Reply], root: Path
) -> None:
    """Write what `glimpse log export --for-training` would."""
    folder.mkdir(parents=True, exist_ok=True)
    pictures = folder / "pictures"
    if not pictures.exists():
        pictures.symlink_to((root / "coco/images").resolve())
    with (folder / "feedback.jsonl").open("w", encoding="utf-8") as file:
        for item, reply in zip(items, replies, strict=True):
            row: dict[str, Any] = {"image": item.image.name}
            if item.question is None:
                row |= {"captions": [reply.text]}
            else:
                row |= {"question": item.question, "answers": [item.gold]}
            file.write(json.dumps(row) + "\n")


def cider(items: Sequence[Item], profile: str) -> float:
    """Mean CIDEr-D of a profile's captions, times 100."""
    texts = [reply.text for reply in ask_profile(profile, items)]
    scores = CaptionScorer(texts, [item.golds for item in items]).cider()
    return sum(scores) / len(scores)


if __name__ == "__main__":
    sys.exit(one_sentence(main))
