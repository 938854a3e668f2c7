"""The engine's answers: right, cached, in micro-batches, and each person's own."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tiny_models import QUESTIONS, Photo, photo, tiny_profile, tiny_vlm
from watched_engine import Watched

from model.confidence import Calibration
from model.config import DecodingConfig
from model.errors import EngineBusy
from model.generation import Decoded, beam, greedy
from model.prompts import prompt_for
from model.requests import EngineLimits
from model.vlm import PrefixVLM

DECODING = DecodingConfig(answer_tokens=4, caption_tokens=6)
CALIBRATION = Calibration(0.5, 1.0, 2.0, 3.0)


@pytest.fixture
def vlm(hub: Path) -> PrefixVLM:
    return tiny_vlm(hub)


@pytest.fixture
def engine(hub: Path, vlm: PrefixVLM) -> Iterator[Watched]:
    profile = replace(tiny_profile(hub), decoding=DECODING)
    made = Watched(profile, vlm, calibration=CALIBRATION)
    yield made
    made.close()


def expected(vlm: PrefixVLM, asked: Photo, question: str | None) -> Decoded:
    """What the model says without an engine."""
    with torch.inference_mode():
        caches = vlm.prefill(vlm.encode([asked.image]))
    most = DECODING.caption_tokens if question is None else DECODING.answer_tokens
    return greedy(vlm, caches, [prompt_for(question)], most)[0]


# --- answers ---------------------------------------------------------------------------------


def test_an_answer_is_what_the_model_says(engine: Watched, hub: Path) -> None:
    decoded = expected(tiny_vlm(hub), photo(1), QUESTIONS[0])
    answer = engine.answer(photo(1), QUESTIONS[0])
    assert answer.text == decoded.text
    logit = torch.tensor(0.5 * decoded.logprob + 1.0)
    assert answer.confidence == pytest.approx(logit.sigmoid().item(), abs=1e-5)
    assert 0 < answer.seconds < 60


def test_a_caption_goes_by_its_mean_log_probability(engine: Watched, hub: Path) -> None:
    decoded = expected(tiny_vlm(hub), photo(1), None)
    answer = engine.caption(photo(1))
    assert answer.text == decoded.text
    logit = torch.tensor(2.0 * decoded.logprob / len(decoded.tokens) + 3.0)
    assert answer.confidence == pytest.approx(logit.sigmoid().item(), abs=1e-5)


def test_captions_by_beam_search(hub: Path, vlm: PrefixVLM) -> None:
    decoding = DecodingConfig(caption_tokens=6, caption_beams=3, length_penalty=0.5)
    engine = Watched(replace(tiny_profile(hub), decoding=decoding), vlm)
    answers = [future.result() for future in [engine.submit(photo(i), None) for i in range(3)]]
    engine.close()
    with torch.inference_mode():
        caches = vlm.prefill(vlm.encode([photo(i).image for i in range(3)]))
    found = beam(vlm, caches, [prompt_for(None)] * 3, 6, 3, 0.5)
    assert [answer.text for answer in answers] == [decoded.text for decoded in found]


def test_answers_by_beam_search_are_the_most_probable(hub: Path, vlm: PrefixVLM) -> None:
    decoding = DecodingConfig(answer_tokens=4, answer_beams=3, length_penalty=9.0)
    engine = Watched(replace(tiny_profile(hub), decoding=decoding), vlm)
    asked = list(enumerate(QUESTIONS[:3]))
    answers = [future.result() for future in [engine.submit(photo(i), q) for i, q in asked]]
    engine.close()
    with torch.inference_mode():
        caches = vlm.prefill(vlm.encode([photo(i).image for i, _ in asked]))
    prompts = [prompt_for(question) for _, question in asked]
    found = beam(vlm, caches, prompts, 4, 3, 0.0)
    assert [answer.text for answer in answers] == [decoded.text for decoded in found]
    plain = greedy(vlm, caches, prompts, 4)
    assert all(b.logprob >= g.logprob - 1e-4 for b, g in zip(found, plain, strict=True))


@pytest.mark.parametrize("beams", [1, 3])
def test_other_answers_to_one_question_start_with_other_tokens(
    hub: Path, vlm: PrefixVLM, beams: int
) -> None:
    decoding = DecodingConfig(4, 4, answer_beams=beams, caption_beams=beams)
    engine = Watched(replace(tiny_profile(hub), decoding=decoding), vlm)
    for question in (QUESTIONS[0], None):
        asked = [engine.submit(photo(1), question, rank) for rank in (1, 2, 3)]
        with torch.inference_mode():
            caches = vlm.prefill(vlm.encode([photo(1).image])) * 3
        found = greedy(vlm, caches, [prompt_for(question)] * 3, 4, ranks=[1, 2, 3])
        assert [future.result().text for future in asked] == [each.text for each in found]
        assert len({each.tokens for each in found}) == 3
    engine.close()


@pytest.mark.parametrize("beams", [1, 3])
def test_guidance_is_for_answers_alone(hub: Path, vlm: PrefixVLM, beams: int) -> None:
    decoding = DecodingConfig(4, 4, answer_beams=beams, caption_beams=beams, guidance_scale=0.3)
    engine = Watched(replace(tiny_profile(hub), decoding=decoding), vlm)
    answer, caption = engine.answer(photo(1), QUESTIONS[0]), engine.caption(photo(1))
    engine.close()
    with torch.inference_mode():
        caches = vlm.prefill(vlm.encode([photo(1).image]))
    [told] = beam(vlm, caches, [prompt_for(QUESTIONS[0])], 4, beams, 0.0, [0.3])
    [plain] = beam(vlm, caches, [prompt_for(QUESTIONS[0])], 4, beams, 0.0)
    [described] = beam(vlm, caches, [prompt_for(None)], 4, beams, 1.0)
    assert (answer.text, caption.text) == (told.text, described.text)
    assert told.logprob != pytest.approx(plain.logprob, abs=1e-3)
    by_itself = Calibration()
    sure = [
        by_itself.confidence(told.logprob, caption=False),
        by_itself.confidence(described.mean_logprob, caption=True),
    ]
    assert [answer.confidence, caption.confidence] == pytest.approx(sure, abs=1e-5)


def test_what_a_question_takes_for_granted_has_a_scale_of_its_own(
    hub: Path, vlm: PrefixVLM
) -> None:
    decoding = DecodingConfig(4, 4, guidance_scale=0.3, polar_guidance_scale=1.7)
    engine = Watched(replace(tiny_profile(hub), decoding=decoding), vlm)
    questions = ["Is the dog wet?", "Is there a dog?", "What is it?"]
    with engine.held():
        asked = [engine.submit(photo(1), question) for question in questions]
    found = [future.result(20) for future in asked]
    engine.close()
    with torch.inference_mode():
        caches = vlm.prefill(vlm.encode([photo(1).image])) * 3
    told = greedy(vlm, caches, [*map(prompt_for, questions)], 4, [1.7, 0.3, 0.3])
    assert [each.text for each in found] == [each.text for each in told]
    sure = [Calibration().confidence(each.logprob, caption=False) for each in told]
    assert [each.confidence for each in found] == pytest.approx(sure, abs=1e-5)


def test_waiting_counts_as_seconds(engine: Watched) -> None:
    with engine.held():
        waiting = engine.submit(photo(1), "Is it red?")
        threading.Event().wait(0.2)
    assert waiting.result(20).seconds > 0.2


# --- pictures that are kept ------------------------------------------------------------------


def test_a_follow_up_question_skips_the_encoder(engine: Watched) -> None:
    for question in ("What is it?", "Is it red?", None, "How many?"):
        engine.submit(photo(1), question).result(20)
    assert engine.encoded == [1]
    assert engine.answer(photo(1), "What is it?") != engine.answer(photo(2), "What is it?")
    assert engine.encoded == [1, 1]


def test_one_picture_asked_about_many_times_at_once_is_encoded_once(engine: Watched) -> None:
    with engine.held():
        futures = [engine.submit(photo(i % 2), question) for i, question in enumerate(QUESTIONS)]
    for future in futures:
        future.result(20)
    assert engine.encoded == [1, 2]


@pytest.mark.parametrize(
    "limits", [EngineLimits(pictures=2), EngineLimits(bytes=2 * 2 * 2 * 24 * 5 * 4)]
)
def test_the_pictures_longest_unused_are_forgotten(
    hub: Path, vlm: PrefixVLM, limits: EngineLimits
) -> None:
    engine = Watched(tiny_profile(hub), vlm, limits=limits)

    def encodings(number: int) -> int:
        engine.encoded.clear()
        engine.answer(photo(number), "Is it red?")
        return len(engine.encoded)

    assert [encodings(n) for n in (1, 2, 1, 3, 1, 2, 3, 1)] == [1, 1, 0, 1, 0, 1, 1, 1]
    engine.close()


@pytest.mark.parametrize("limits", [EngineLimits(pictures=0), EngineLimits(bytes=0)])
def test_an_engine_that_keeps_nothing_still_answers(
    hub: Path, vlm: PrefixVLM, limits: EngineLimits
) -> None:
    engine = Watched(tiny_profile(hub), vlm, limits=limits)
    first, second = (engine.answer(photo(1), "Is it red?") for _ in range(2))
    assert (first.text, first.confidence) == (second.text, second.confidence)
    assert engine.encoded == [1, 1]
    engine.close()


# --- many at once ----------------------------------------------------------------------------


def test_what_waits_is_computed_together_and_everyone_gets_their_own(
    engine: Watched, hub: Path
) -> None:
    asked = [(photo(i % 5), None if i % 4 == 3 else QUESTIONS[i]) for i in range(16)]
    with engine.held() as first:
        futures = [engine.submit(*request) for request in asked]
    first.result(20)
    fresh = tiny_vlm(hub)
    for future, request in zip(futures, asked, strict=True):
        assert future.result(20).text == expected(fresh, *request).text
    # Of the first eight those about four new pictures at a time; the rest is known by then.
    assert engine.computed == [1, 7, 1, 8]


def test_a_batch_is_no_larger_than_allowed(hub: Path, vlm: PrefixVLM) -> None:
    engine = Watched(tiny_profile(hub), vlm, limits=EngineLimits(batch=3, new_pictures=9))
    with engine.held():
        futures = [engine.submit(photo(i), "Is it red?") for i in range(7)]
    for future in futures:
        future.result(20)
    assert engine.computed == [1, 3, 3, 1]
    engine.close()


def test_eight_threads_lose_nothing(hub: Path, vlm: PrefixVLM) -> None:
    engine = Watched(replace(tiny_profile(hub), decoding=DECODING), vlm)
    fresh = tiny_vlm(hub)
    wanted = {(i, q): expected(fresh, photo(i), q).text for i in range(5) for q in QUESTIONS[:4]}

    def ask(thread: int) -> list[tuple[tuple[int, str], str]]:
        got = []
        for number in range(20):
            key = ((thread + number) % 5, QUESTIONS[number % 4])
            while True:
                try:
                    got.append((key, engine.answer(photo(key[0]), key[1]).text))
                    break
                except EngineBusy:
                    threading.Event().wait(0.01)
        return got

    with ThreadPoolExecutor(8) as pool:
        answers = [pair for got in pool.map(ask, range(8)) for pair in got]
    engine.close()
    assert len(answers) == 160 == sum(engine.computed)
    assert all(wanted[key] == text for key, text in answers)
    assert max(engine.computed) > 1


def test_two_workers_share_what_waits_and_encode_each_picture_once(
    hub: Path, vlm: PrefixVLM
) -> None:
    profile = replace(tiny_profile(hub), decoding=DECODING)
    engine = Watched(profile, vlm, limits=EngineLimits(workers=2, new_pictures=9))
    asked = [(photo(i % 4), None if i % 3 else QUESTIONS[i]) for i in range(12)]
    with engine.held() as first:
        busy = engine.submit(photo(98), None)  # for the other worker
        while engine._queue.qsize():
            threading.Event().wait(0.001)
        futures = [engine.submit(*request) for request in asked]
    wait([first, busy], 20)
    fresh = tiny_vlm(hub)
    for future, request in zip(futures, asked, strict=True):
        assert future.result(20).text == expected(fresh, *request).text
    assert sorted(engine.computed)[:2] == [1, 1]
    assert max(engine.computed) == 6
    assert sum(engine.encoded) == 6
    engine.close()
    assert not any(worker.is_alive() for worker in engine._workers)
