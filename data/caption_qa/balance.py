"""Balances answers over a corpus, so that a question's text does not give its answer away."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from data.datasets.records import QuestionRecord

Numbered = tuple[int, QuestionRecord]  # after the number of its scene
_MOST_NO = 4  # of one scene


@dataclass(frozen=True)
class Claim:
    """A yes/no question that a scene answers, not yet asked.

    Attributes:
        wordings: Ways to ask it. Claims with the same wordings are one question of the corpus.
        truth: Whether the answer is "yes".
        kind: The kind of question.
    """

    wordings: tuple[str, ...]
    truth: bool
    kind: str


def pair_yes_and_no(claims: Iterable[tuple[int, Claim]], rng: random.Random) -> list[Numbered]:
    """Asks as many "no" as "yes" claims of each question, in pairs of the same wording.

    Args:
        claims: (scene number, claim) of the whole corpus.
        rng: Source of every random choice.
    """
    sides: dict[tuple[tuple[str, ...], str], tuple[list[int], list[int]]] = {}
    for scene, claim in claims:
        yes, no = sides.setdefault((claim.wordings, claim.kind), ([], []))
        (yes if claim.truth else no).append(scene)
    load, asked = Counter[int](), list[Numbered]()
    for (wordings, kind), (yes, no) in sorted(sides.items(), key=lambda s: (len(s[1][1]), s[0])):
        rng.shuffle(yes)
        rng.shuffle(no)
        free = [scene for scene in no if load[scene] < _MOST_NO]
        for turn, (positive, negative) in enumerate(zip(yes, free, strict=False)):
            load[negative] += 1
            question = wordings[turn % len(wordings)]
            asked.append((positive, QuestionRecord.single(question, "yes", kind)))
            asked.append((negative, QuestionRecord.single(question, "no", kind)))
    return asked


def limit_majority(found: Sequence[Numbered], share: float, rng: random.Random) -> list[Numbered]:
    """Drops some of the most frequent answer until it is at most this share of each question.

    Args:
        found: Open questions of the corpus; those with one text are balanced together.
        share: 0..1; a question with one single answer is kept, but no more than twice.
        rng: Source of every random choice.
    """
    by_text: dict[str, dict[str, list[Numbered]]] = defaultdict(lambda: defaultdict(list))
    for pair in found:
        by_text[pair[1].question][pair[1].answer].append(pair)
    kept = list[Numbered]()
    for answers in by_text.values():
        for members in answers.values():
            rest = sum(len(m) for m in answers.values()) - len(members)
            limit = max(int(rest * share / (1 - share)), 1)
            kept.extend(members if len(members) <= limit else rng.sample(members, limit))
    return kept
