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
from typing import Any

import torch
from torch import Tensor

from model.config import DecodingConfig
from model.questions import ObjectQuestion, parse_object_question
from model.vlm import Detections, PrefixCache, PrefixVLM, stack

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


class _Decoder:
    """Feeds tokens to the language model step by step, keeping its keys and values.

    With guidance, the rows come twice: B that see their prefix, then the same B that do not.
    """

    def __init__(
        self,
        vlm: PrefixVLM,
        caches: Sequence[PrefixCache],
        batch: Mapping[str, Tensor],
        scales: Sequence[float] = (),
    ) -> None:
        self.language, self.unwritable = vlm.language, vlm.unwritable
        self.times = 1 if all(scale == 1 for scale in scales) else 2
        self.scales = torch.tensor(scales, device=vlm.device)[:, None]
        self.cache = stack([*caches] * self.times)
        self.mask = batch["attention_mask"].repeat(self.times, 1)
        self.mask[len(caches) :, : caches[0].positions] = 0
        position_ids = batch["position_ids"].repeat(self.times, 1)
        self.position_ids = position_ids[:, -1:]
        self.logprobs = self._forward(batch["input_ids"], position_ids)  # (B, V)

    def step(self, tokens: Tensor) -> Tensor:
        """Next tokens (B) → log-probabilities (B, V) of what follows."""
        self.mask = torch.cat([self.mask, self.mask.new_ones(len(self.mask), 1)], dim=1)
        self.position_ids = self.position_ids + 1
        return self._forward(tokens[:, None], self.position_ids)

    def select(self, rows: Tensor) -> None:
        """Go on with these rows only, some of them perhaps several times."""
        count = len(self.mask) // self.times
        self.scales = self.scales[rows] if self.times == 2 else self.scales
        rows = torch.cat([rows + count * half for half in range(self.times)])
        self.cache.reorder_cache(rows)
        self.mask, self.position_ids = self.mask[rows], self.position_ids[rows]

    def _forward(self, tokens: Tensor, position_ids: Tensor) -> Tensor:
        """Tokens (B, T) and the positions of all rows → log-probabilities (B, V)."""
        output: Any = self.language(
            input_ids=tokens.repeat(self.times, 1),
            attention_mask=self.mask,
            position_ids=position_ids,
            past_key_values=self.cache,
            use_cache=True,
            logits_to_keep=1,
        )
        logits = output.logits[:, -1].float()
        if self.times == 2:  # logits do as well as log-probabilities: a row's constant drops out
            seen, blind = logits.chunk(2)
            logits = torch.lerp(blind, seen, self.scales)
        return torch.log_softmax(logits, dim=-1).masked_fill(self.unwritable, -torch.inf)


@torch.inference_mode()
def greedy(  # noqa: PLR0917
    vlm: PrefixVLM,
    caches: Sequence[PrefixCache],
    prompts: Sequence[str],
    max_tokens: int,
    guidance_scales: Sequence[float] = (),
    ranks: Sequence[int] | None = None,
    evidence: Sequence[Evidence] = (),
) -> list[Decoded]:
    """The most probable token at each step, for each picture and its prompt.

    Args:
        vlm: The model.
        caches: Of the pictures' prefixes.
        prompts: One for each.
        max_tokens: Longest text.
        guidance_scales: See above, one for each prompt; none are as good as 1.
        ranks: How many first tokens are more probable than the one that each text starts with, 0
            for none. Texts that start differently differ more than the best of a beam do (Wang and
            Zhou, arXiv 2402.10200). One of a rank above 0 is never empty.
        evidence: What the picture's objects say of the answer, one for each prompt.
    """
    first = [*ranks] if ranks else []

    def choose(logprobs: Tensor) -> Tensor:
        if not any(first):
            return logprobs.argmax(dim=-1)
        wanted = torch.tensor(first, device=logprobs.device)
        first.clear()
        others = logprobs.clone()
        others[wanted > 0, vlm.end] = -torch.inf
        best = others.topk(int(wanted.max()) + 1).indices  # (B, k)
        return best.gather(1, wanted[:, None])[:, 0]

    return _generate(vlm, caches, prompts, max_tokens, choose, guidance_scales, evidence)


@torch.inference_mode()
def sample(
    vlm: PrefixVLM, caches: Sequence[PrefixCache], prompts: Sequence[str], max_tokens: int
) -> list[Decoded]:
    """A text drawn from the model's own distribution, for each picture and its prompt.

    Ancestral sampling at temperature 1, by PyTorch's global random state.
    """

    def draw(logprobs: Tensor) -> Tensor:
        return torch.multinomial(logprobs.softmax(dim=-1), 1)[:, 0]

    return _generate(vlm, caches, prompts, max_tokens, draw)


def _generate(  # noqa: PLR0917
    vlm: PrefixVLM,
    caches: Sequence[PrefixCache],
    prompts: Sequence[str],
    max_tokens: int,
    choose: Callable[[Tensor], Tensor],
    guidance_scales: Sequence[float] = (),
    evidence: Sequence[Evidence] = (),
) -> list[Decoded]:
    """Write texts token by token; `choose` picks them (B) by their log-probabilities (B, V)."""
    batch = vlm.batch([vlm.tokens(prompt) for prompt in prompts], caches[0].positions)
    decoder = _Decoder(vlm, caches, batch, guidance_scales)
    logprobs = decoder.logprobs
    written: list[list[int]] = [[] for _ in prompts]
    totals = [0.0] * len(prompts)
    open_rows = list(range(len(prompts)))  # which prompt each row of the decoder belongs to
    for step in range(max_tokens):
        if any(evidence):
            texts = [written[prompt] for prompt in open_rows]
            logprobs = _with_evidence(logprobs, texts, [evidence[prompt] for prompt in open_rows])
        tokens = choose(logprobs)
        best = logprobs.gather(1, tokens[:, None])[:, 0]
        chosen = tokens.tolist()
        for prompt, token, logprob in zip(open_rows, chosen, best.tolist(), strict=True):
            written[prompt].append(token)
            totals[prompt] += logprob
        going = [row for row, token in enumerate(chosen) if token != vlm.end]
        if not going or step + 1 == max_tokens:
            break
        if len(going) < len(open_rows):
            rows = torch.tensor(going, device=tokens.device)
            decoder.select(rows)
            tokens, open_rows = tokens[rows], [open_rows[row] for row in going]
        logprobs = decoder.step(tokens)
    return [_decoded(vlm, ids, total) for ids, total in zip(written, totals, strict=True)]


@torch.inference_mode()
def beam(  # noqa: PLR0917
    vlm: PrefixVLM,
    caches: Sequence[PrefixCache],
    prompts: Sequence[str],
    max_tokens: int,
    width: int,
    length_penalty: float = 1.0,
    guidance_scales: Sequence[float] = (),
    evidence: Sequence[Evidence] = (),
) -> list[Decoded]:
    """Beam search: the best of `width` texts by log-probability / length ** length_penalty."""
    batch = vlm.batch([vlm.tokens(prompt) for prompt in prompts], caches[0].positions)
    decoder = _Decoder(vlm, caches, batch, guidance_scales)
    searches = [_BeamSearch(width, length_penalty, vlm.end, max_tokens) for _ in prompts]
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
        decoder.select(torch.tensor(rows, device=vlm.device))
        logprobs = decoder.step(torch.tensor(tokens, device=vlm.device))
    return [_decoded(vlm, *search.best()) for search in searches]


def _with_evidence(
    logprobs: Tensor, texts: Sequence[Sequence[int]], evidence: Sequence[Evidence]
) -> Tensor:
    """Log-probabilities (rows, V) of what follows texts, with what is known of their ends added."""
    logprobs = logprobs.clone()
    for row, (text, known) in enumerate(zip(texts, evidence, strict=True)):
        ends = {path[-1]: more for path, more in known.items() if path[:-1] == tuple(text)}
        if ends:
            logprobs[row, list(ends)] += logprobs.new_tensor(list(ends.values()))
            logprobs[row] = torch.log_softmax(logprobs[row], dim=-1)
    return logprobs


class _BeamSearch:
    """The beams of one prompt."""

    def __init__(self, width: int, penalty: float, end: int, max_tokens: int) -> None:
        self.width, self.penalty, self.end, self.max_tokens = width, penalty, end, max_tokens
        self.live: list[tuple[list[int], float]] = [([], 0.0)]
        self.done: list[tuple[float, list[int], float]] = []  # score, tokens, log-probability

    def advance(self, logprobs: Tensor) -> list[tuple[int, int]]:
        """Log-probabilities (rows, V) of the live beams → the (row, token) to go on with."""
        totals = logprobs.new_tensor([total for _, total in self.live])[:, None] + logprobs
        best, flat = totals.flatten().topk(min(2 * self.width, totals.numel()))
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


def _decoded(vlm: PrefixVLM, tokens: list[int], logprob: float) -> Decoded:
    text = vlm.tokenizer.decode(tokens, skip_special_tokens=True).strip()
    return Decoded(text, tuple(tokens), logprob)


# --- evidence of objects ----------------------------------------------------------------------


def evidence_for(
    vlm: PrefixVLM, detections: Detections, question: str | None, decoding: DecodingConfig
) -> Evidence:
    """What to add to the log-probabilities (nats) of answers, by their tokens."""
    if question is None or not detections.probabilities:
        return {}
    if not (decoding.presence_weight or decoding.count_weight):
        return {}
    asked = parse_object_question(question, vlm.object_names)
    weight = decoding.count_weight if asked and asked.is_count else decoding.presence_weight
    if asked is None or not weight:
        return {}
    there = detections.probabilities[asked.class_index]
    odds = math.log(max(there, 1e-6)) - math.log(max(1 - there, 1e-6)) + PRIOR_SHIFT
    odds = min(max(odds, -MAX_LOG_ODDS), MAX_LOG_ODDS)
    if not asked.exact:
        odds = min(odds, 0.0)
    if not asked.is_count:
        return {tuple(vlm.tokens(" yes")): weight * odds}
    if asked.class_index >= vlm.mapper.config.object_boxes:
        return {}
    return _count_evidence(vlm, detections.counts[asked.class_index], odds, asked, weight)


def _count_evidence(
    vlm: PrefixVLM, boxes: int, odds: float, asked: ObjectQuestion, weight: float
) -> Evidence:
    """For the numbers below `MAX_COUNT`."""
    if not asked.exact and boxes:
        return {}  # fewer of them may do what is asked for
    if not boxes and odds > 0:
        boxes = 1  # surely there, though no box is
    spread = 0.5 + boxes / 3
    return {
        tuple(vlm.tokens(f" {number}")): -weight * abs(number - boxes) / spread
        for number in range(MAX_COUNT)
    }
