"""Greedy and beam decoding behind cached prefixes, for batches of prompts of different lengths.

Guidance: with scales, each prompt is read twice, with its prefix and without:

    log p(token) = blind + scale · (seen - blind) + constant

with the log-probabilities given both, and given the prompt alone. That is classifier-free guidance
(Ho and Salimans, arXiv 2207.12598; for language models, arXiv 2306.17806). A scale below 1 leans on
what the words of a question alone suggest: finetune/RUNS.md tells what that gives.

Evidence: the object head was taught by boxes what is there and what is not; the language model only
by answers. So where a question asks outright for objects that the head knows, its calibrated
probability p joins the log-probabilities of the answer, as an independent witness would (a product
of experts, Hinton 2002):

    log-odds of "yes"  +=  weight x (logit(p) + PRIOR_SHIFT)
    log p("3")         -=  weight x |3 - boxes| / spread

What somebody asks for is there more often than what nobody asks for, hence the shift of the prior
(Saerens et al. 2002). A question that wants more ("is there a dog on the couch?", "how many dogs
are asleep?", "is there a woman?") is told only what bounds its answer: "no" where no such object is
seen.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from model.config import DecodingConfig
from model.detections import Detections
from model.prompts import target_text
from model.questions import ObjectQuestion, parse_object_question

Logprobs = NDArray[np.float32]
Tokens = NDArray[np.intp]
# What is added to the log-probability of a text's last token, given those before, by its tokens.
Evidence = Mapping[tuple[int, ...], float]
PRIOR_SHIFT = 2.0  # log-odds: a class that is asked for counts as there from p = .12 on
MAX_LOG_ODDS = 4.0  # the most that log-odds say, for the head is wrong at times
MAX_COUNT = 10  # questions are answered by numbers below it


@dataclass(frozen=True)
class Decoded:
    """What the model wrote.

    Attributes:
        text: Without the end token and surrounding spaces.
        tokens: Token ids, the end token included if it was reached.
        logprob: Log-probability of all tokens, in nats, after guidance if there was any.
    """

    text: str
    tokens: tuple[int, ...]
    logprob: float

    @property
    def mean_logprob(self) -> float:
        """Log-probability for each token, in nats."""
        return self.logprob / max(1, len(self.tokens))


class Decoder(Protocol):
    """Texts in the making: feeds a language model with tokens and keeps its keys and values.

    Attributes:
        logprobs: Of the first token behind each prompt, guided, with -inf for unwritable ones
            (B, V).
    """

    logprobs: Logprobs

    def step(self, tokens: Sequence[int]) -> Logprobs:
        """Next tokens (B) → log-probabilities (B, V) of what follows."""

    def select(self, rows: Sequence[int]) -> None:
        """Go on with these rows only, some of them perhaps several times."""


class LanguageModel(Protocol):
    """What decoding asks of a model, whatever computes it.

    Attributes:
        end: The end token.
        object_names: Of the classes that the object head knows.
    """

    end: int
    object_names: tuple[str, ...]

    @property
    def object_boxes(self) -> int:
        """How many of the classes have boxes; they come first."""

    def tokens(self, text: str) -> list[int]:
        """Token ids of a text."""

    def text_of(self, tokens: Sequence[int]) -> str:
        """The text of tokens, special ones left out."""

    def start(
        self,
        caches: Sequence[Any],
        prompts: Sequence[Sequence[int]],
        scales: Sequence[float] = (),
        ahead: Sequence[Sequence[int]] = (),
    ) -> Decoder:
        """Read prompts, as token ids, behind the caches of pictures.

        Args:
            caches: What the model made of the pictures.
            prompts: One for each.
            scales: Of guidance, one for each; none are as good as 1.
            ahead: Tokens that may well come first behind each; a model may read them along, so that
                a step with them costs nothing.
        """


def greedy(  # noqa: PLR0917
    model: LanguageModel,
    caches: Sequence[Any],
    prompts: Sequence[str],
    max_tokens: int,
    guidance_scales: Sequence[float] = (),
    ranks: Sequence[int] | None = None,
    evidence: Sequence[Evidence] = (),
    likely: Sequence[Sequence[str]] = (),
) -> list[Decoded]:
    """The most probable token at each step, for each picture and its prompt.

    Args:
        model: The model.
        caches: Of the pictures' prefixes.
        prompts: One for each.
        max_tokens: Longest text.
        guidance_scales: See above, one for each prompt; none are as good as 1.
        ranks: How many first tokens are more probable than the one that each text starts with, 0
            for none. Texts that start differently differ more than the best of a beam do (Wang and
            Zhou, arXiv 2402.10200). One of a rank above 0 is never empty.
        evidence: What the picture's objects say of the answer, one for each prompt.
        likely: Answers that are likely before the picture is seen, for each prompt. They only save
            time.
    """
    ahead = [[model.tokens(target_text(answer))[0] for answer in answers] for answers in likely]
    first = [*ranks] if ranks else []

    def choose(logprobs: Logprobs) -> Tokens:
        if not any(first):
            return _argmax(logprobs)
        wanted = np.array(first)
        first.clear()
        others = logprobs.copy()
        others[wanted > 0, model.end] = -np.inf
        best = np.argsort(-others, axis=-1, kind="stable")  # (B, V)
        found: Tokens = best[np.arange(len(best)), wanted]
        return found

    return _generate(model, caches, prompts, max_tokens, choose, guidance_scales, evidence, ahead)


def sample(
    model: LanguageModel,
    caches: Sequence[Any],
    prompts: Sequence[str],
    max_tokens: int,
    random: np.random.Generator,
) -> list[Decoded]:
    """A text drawn from the model's own distribution, for each picture and its prompt.

    Ancestral sampling at temperature 1, by the Gumbel-max trick.
    """

    def draw(logprobs: Logprobs) -> Tokens:
        noise = random.gumbel(size=logprobs.shape).astype(np.float32)
        return _argmax(logprobs + noise)

    return _generate(model, caches, prompts, max_tokens, draw)


def score(
    model: LanguageModel,
    caches: Sequence[Any],
    prompts: Sequence[str],
    answers: Sequence[str],
    guidance_scales: Sequence[float] = (),
) -> list[float]:
    """Log-probability of each given answer, its end token included, in nats."""
    wanted = [[*model.tokens(target_text(answer)), model.end] for answer in answers]
    decoder = model.start(caches, [model.tokens(prompt) for prompt in prompts], guidance_scales)
    logprobs, totals = decoder.logprobs, [0.0] * len(answers)
    longest = max(len(target) for target in wanted)
    for place in range(longest):
        tokens = [target[place] if place < len(target) else model.end for target in wanted]
        for row, target in enumerate(wanted):
            if place < len(target):
                totals[row] += float(logprobs[row, tokens[row]])
        if place + 1 < longest:
            logprobs = decoder.step(tokens)
    return totals


def _generate(  # noqa: PLR0917
    model: LanguageModel,
    caches: Sequence[Any],
    prompts: Sequence[str],
    max_tokens: int,
    choose: Callable[[Logprobs], Tokens],
    guidance_scales: Sequence[float] = (),
    evidence: Sequence[Evidence] = (),
    ahead: Sequence[Sequence[int]] = (),
) -> list[Decoded]:
    """Write texts token by token; `choose` picks them (B) by their log-probabilities (B, V)."""
    ids = [model.tokens(prompt) for prompt in prompts]
    decoder = model.start(caches, ids, guidance_scales, ahead)
    logprobs = decoder.logprobs
    written: list[list[int]] = [[] for _ in prompts]
    totals = [0.0] * len(prompts)
    open_rows = list(range(len(prompts)))  # which prompt each row of the decoder belongs to
    for step in range(max_tokens):
        if any(evidence):
            texts = [written[prompt] for prompt in open_rows]
            logprobs = _with_evidence(logprobs, texts, [evidence[prompt] for prompt in open_rows])
        chosen: list[int] = choose(logprobs).tolist()
        best = logprobs[np.arange(len(chosen)), chosen].tolist()
        for prompt, token, logprob in zip(open_rows, chosen, best, strict=True):
            written[prompt].append(token)
            totals[prompt] += logprob
        going = [row for row, token in enumerate(chosen) if token != model.end]
        if not going or step + 1 == max_tokens:
            break
        if len(going) < len(open_rows):
            decoder.select(going)
            open_rows = [open_rows[row] for row in going]
        logprobs = decoder.step([chosen[row] for row in going])
    return [_decoded(model, text, total) for text, total in zip(written, totals, strict=True)]


def beam(  # noqa: PLR0917
    model: LanguageModel,
    caches: Sequence[Any],
    prompts: Sequence[str],
    max_tokens: int,
    width: int,
    length_penalty: float = 1.0,
    guidance_scales: Sequence[float] = (),
    evidence: Sequence[Evidence] = (),
) -> list[Decoded]:
    """Beam search: the best of `width` texts by log-probability / length ** length_penalty."""
    decoder = model.start(caches, [model.tokens(prompt) for prompt in prompts], guidance_scales)
    searches = [_BeamSearch(width, length_penalty, model.end, max_tokens) for _ in prompts]
    logprobs = decoder.logprobs
    counts = [1] * len(prompts)  # live rows of each search
    while True:
        rows: list[int] = []
        tokens: list[int] = []
        start = 0
        for index, search in enumerate(searches):
            mine = logprobs[start : start + counts[index]]
            if counts[index] and any(evidence):
                texts = [text for text, _ in search.live]
                mine = _with_evidence(mine, texts, [evidence[index]] * len(texts))
            chosen = search.advance(mine) if counts[index] else []
            rows.extend(start + row for row, _ in chosen)
            tokens.extend(token for _, token in chosen)
            start += counts[index]
            counts[index] = len(chosen)
        if not rows:
            break
        decoder.select(rows)
        logprobs = decoder.step(tokens)
    return [_decoded(model, *search.best()) for search in searches]


def _with_evidence(
    logprobs: Logprobs, texts: Sequence[Sequence[int]], evidence: Sequence[Evidence]
) -> Logprobs:
    """Log-probabilities (rows, V) of what follows texts, with what is known of their ends added."""
    logprobs = logprobs.copy()
    for row, (text, known) in enumerate(zip(texts, evidence, strict=True)):
        ends = {path[-1]: more for path, more in known.items() if path[:-1] == tuple(text)}
        if ends:
            logprobs[row, list(ends)] += np.array(list(ends.values()), np.float32)
            logprobs[row] = log_softmax(logprobs[row])
    return logprobs


class _BeamSearch:
    """The beams of one prompt."""

    def __init__(self, width: int, penalty: float, end: int, max_tokens: int) -> None:
        self.width, self.penalty, self.end, self.max_tokens = width, penalty, end, max_tokens
        self.live: list[tuple[list[int], float]] = [([], 0.0)]
        self.done: list[tuple[float, list[int], float]] = []  # score, tokens, log-probability

    def advance(self, logprobs: Logprobs) -> list[tuple[int, int]]:
        """Log-probabilities (rows, V) of the live beams → the (row, token) to go on with."""
        before = np.array([total for _, total in self.live], np.float32)
        totals = (before[:, None] + logprobs).ravel()
        flat = _largest(totals, min(2 * self.width, totals.size))
        best = totals[flat]
        vocabulary = logprobs.shape[1]
        chosen: list[tuple[int, int]] = []
        live: list[tuple[list[int], float]] = []
        for rank, (total, index) in enumerate(zip(best.tolist(), flat.tolist(), strict=True)):
            row, token = divmod(index, vocabulary)
            tokens = [*self.live[row][0], token]
            if token == self.end or len(tokens) == self.max_tokens:
                # An end that is not among the best `width` is not worth keeping.
                if rank < self.width:
                    self.done.append((total / len(tokens) ** self.penalty, tokens, total))
            elif len(live) < self.width:
                chosen.append((row, token))
                live.append((tokens, total))
        self.live = live
        if self._finished():
            self.live, chosen = [], []
        return chosen

    def best(self) -> tuple[list[int], float]:
        """Tokens and log-probability of the best finished text."""
        _, tokens, total = max(self.done)
        return tokens, total

    def _finished(self) -> bool:
        """Whether no live beam scores more than the worst of the best `width` finished texts."""
        if len(self.done) < self.width or not self.live:
            return not self.live
        tokens, total = self.live[0]
        worst = sorted(self.done)[-self.width][0]
        return bool(total / len(tokens) ** self.penalty <= worst)


def log_softmax(logits: Logprobs) -> Logprobs:
    """Logits (…, V) → log-probabilities (…, V)."""
    shifted = logits - logits.max(axis=-1, keepdims=True)
    found: Logprobs = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return found


def _argmax(values: Logprobs) -> Tokens:
    """Where the largest of each row is (B)."""
    found: Tokens = values.argmax(axis=-1)
    return found


def _largest(values: Logprobs, count: int) -> Tokens:
    """Where the largest values are, the largest first, of equal ones the first."""
    found = np.argpartition(-values, count - 1)[:count]
    return found[np.lexsort((found, -values[found]))]


def _decoded(model: LanguageModel, tokens: list[int], logprob: float) -> Decoded:
    return Decoded(model.text_of(tokens).strip(), tuple(tokens), logprob)


# --- evidence of objects ----------------------------------------------------------------------


def evidence_for(
    model: LanguageModel, detections: Detections, question: str | None, decoding: DecodingConfig
) -> Evidence:
    """What to add to the log-probabilities (nats) of answers, by their tokens."""
    if question is None or not detections.probabilities:
        return {}
    if not (decoding.presence_weight or decoding.count_weight):
        return {}
    asked = parse_object_question(question, model.object_names)
    weight = decoding.count_weight if asked and asked.is_count else decoding.presence_weight
    if asked is None or not weight:
        return {}
    there = detections.probabilities[asked.class_index]
    odds = math.log(max(there, 1e-6)) - math.log(max(1 - there, 1e-6)) + PRIOR_SHIFT
    odds = min(max(odds, -MAX_LOG_ODDS), MAX_LOG_ODDS)
    if not asked.exact:
        odds = min(odds, 0.0)
    if not asked.is_count:
        return {tuple(model.tokens(" yes")): weight * odds}
    if asked.class_index >= model.object_boxes:
        return {}
    return _count_evidence(model, detections.counts[asked.class_index], odds, asked, weight)


def _count_evidence(
    model: LanguageModel, boxes: int, odds: float, asked: ObjectQuestion, weight: float
) -> Evidence:
    """For the numbers below `MAX_COUNT`."""
    if not asked.exact and boxes:
        return {}  # fewer of them may do what is asked for
    if not boxes and odds > 0:
        boxes = 1  # surely there, though no box is
    spread = 0.5 + boxes / 3
    return {
        tuple(model.tokens(f" {number}")): -weight * abs(number - boxes) / spread
        for number in range(MAX_COUNT)
    }
