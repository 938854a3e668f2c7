"""Balances answers over a corpus, so that a question's text does not give its answer away."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from data.questions.asked import Claim, DerivedQuestion

Numbered = tuple[int, DerivedQuestion]
_NO_LIMIT = 4


def settle(claims: Iterable[tuple[int, Claim]], rng: random.Random) -> list[Numbered]:
    """Asks as many "no" as "yes" claims of each question, in pairs of the same wording.

    Args:
        claims: (scene number, claim) of the whole corpus.
        rng: source of every random choice.
    """
    sides: dict[tuple[tuple[str, ...], str], tuple[list[int], list[int]]] = {}
    for scene, claim in claims:
        yes, no = sides.setdefault((claim.wordings, claim.kind), ([], []))
        (yes if claim.truth else no).append(scene)
    load, asked = Counter[int](), list[Numbered]()
    for (wordings, kind), (yes, no) in sorted(sides.items(), key=lambda s: (len(s[1][1]), s[0])):
        rng.shuffle(yes)
        rng.shuffle(no)
        free = [scene for scene in no if load[scene] < _NO_LIMIT]
        for turn, (shown, hidden) in enumerate(zip(yes, free, strict=False)):
            load[hidden] += 1
            question = wordings[turn % len(wordings)]
            asked.append((shown, DerivedQuestion(question, "yes", kind)))
            asked.append((hidden, DerivedQuestion(question, "no", kind)))
    return asked


def level(found: Sequence[Numbered], share: float, rng: random.Random) -> list[Numbered]:
    """Drops some of the most frequent answer until it is at most this share of each question.

    Args:
        found: open questions of the corpus; those with one text are levelled together.
        share: 0..1; a question with one single answer is kept, but no more than twice.
        rng: source of every random choice.
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
