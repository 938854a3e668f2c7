"""Does a model learn to look? Train on the package easy-vqa for minutes, and blind it.

    python -m finetune.easy_vqa [--steps N] [--run FOLDER]

easy-vqa (MIT, on PyPI) has 64-px pictures of one coloured shape, made larger for the tower, and
questions of which the text alone answers 67 %. What learns is the starter's own: EfficientNet-Lite2
(frozen), a new mapper, LoRA in SmolLM2-135M, on 2 CPU cores. Exits with
status 0 if it answers at least 90 % with pictures and at most 70 % with shuffled ones.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from finetune.config import Schedule
from finetune.evaluation import metrics
from finetune.research.sanity import accuracy, learn, plainly, with_other_pictures
from finetune.research.starter_figures import Asked

LONG = 100  # steps from which on compiling, which takes a minute, pays
WITH_PICTURES, SHUFFLED = 90.0, 70.0  # what must be reached, what must not be passed


def main() -> int:
    """Train, ask, print; returns the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--pictures", type=int, default=1000, help="pictures to learn from")
    parser.add_argument("--test-pictures", type=int, default=200, help="pictures to be asked about")
    parser.add_argument("--run", type=Path, help="keep everything in this folder")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="glimpse-") as temporary:
        run = options.run or Path(temporary) / "easy-vqa"
        figures = trial(run, options.steps, options.pictures, options.test_pictures)
    print(table(figures))
    good = figures["with pictures"] >= WITH_PICTURES and figures["shuffled pictures"] <= SHUFFLED
    print("Good." if good else f"Wanted: at least {WITH_PICTURES}, shuffled at most {SHUFFLED}.")
    return 0 if good else 1


def trial(
    run: Path, steps: int, pictures: int, test_pictures: int, base: str = "starter"
) -> dict[str, float]:
    """Train on the first pictures of one split, ask about those of the other; accuracies 0..100."""
    root = (run / "data").resolve()
    train, test = (_copy(split, count, root) for split, count in
                   (("train", pictures), ("test", test_pictures)))  # fmt: skip
    schedule = Schedule(
        steps, mapper_steps=10, warmup_steps=10, pictures=8, mapper_rate=2e-3, lora_rate=8e-4,
        checkpoint_steps=100,
    )  # fmt: skip
    profile = learn(root, run, train, schedule, base, compiled=steps > LONG)
    golds = [a.golds[0] for a in test]
    return {
        "with pictures": accuracy(test, profile),
        "shuffled pictures": accuracy(with_other_pictures(test), profile),
        "always yes": metrics.accuracy(["yes"] * len(golds), golds),
        "question only": metrics.accuracy(blind_answers(train, test), golds),
        "questions": len(test),
    }


def blind_answers(train: Sequence[Asked], test: Sequence[Asked]) -> list[str]:
    """The answer that each question's text most often had in training."""
    seen: dict[str | None, Counter[str]] = {}
    for asked in train:
        seen.setdefault(asked.question, Counter())[asked.golds[0]] += 1
    unseen = Counter({"yes": 1})
    return [seen.get(a.question, unseen).most_common(1)[0][0] for a in test]


def table(figures: Mapping[str, float]) -> str:
    """The figures as a Markdown table."""
    lines = ["| easy-vqa, EfficientNet-Lite2 + mapper + LoRA SmolLM2-135M | |", "|---|---|"]
    return "\n".join(lines + [f"| {name} | {value:.4g} |" for name, value in figures.items()])


def _copy(split: str, count: int, root: Path) -> list[Asked]:
    """Copy the first pictures of a split; returns their questions."""
    import easy_vqa

    questions, answers, numbers = getattr(easy_vqa, f"get_{split}_questions")()
    paths = dict(sorted(getattr(easy_vqa, f"get_{split}_image_paths")().items())[:count])
    folder = root / split
    folder.mkdir(parents=True, exist_ok=True)
    for path in paths.values():
        shutil.copy(path, folder)
    return [
        Asked(folder / Path(paths[number]).name, question, (answer,))
        for question, answer, number in zip(questions, answers, numbers, strict=True)
        if number in paths
    ]


if __name__ == "__main__":
    sys.exit(plainly(main))
