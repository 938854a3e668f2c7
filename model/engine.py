"""The engine: loads a profile once and answers many people's questions on a few worker threads.

    submit ─► bounded queue ─► worker: read new pictures ─► decode in micro-batches ─► futures

Both runtimes release the interpreter's lock, so an event loop goes on while workers compute. With
OpenVINO one worker uses all cores, for one question or for a batch of them. With PyTorch there are
several of one thread each, who take turns at reading pictures. What the language model makes of
recent pictures is kept: a follow-up neither runs the tower nor reads the prefix again.
"""

from __future__ import annotations

import logging
import math
import queue
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, replace

from cachetools import LRUCache
from PIL import Image

from model.cache import Progress, silent
from model.confidence import Calibration
from model.config import Profile, load_profile
from model.errors import EngineBusy, EngineClosed
from model.generation import Decoded, beam, evidence_for, greedy
from model.prompts import prompt_for
from model.questions import POLAR_ANSWERS, is_polar
from model.requests import (
    NO_CONTEXT,
    SHORT_ANSWERS,
    Answer,
    Capabilities,
    ChatContext,
    EngineLimits,
    Picture,
    Request,
)
from model.runtime import PictureCache, VisionLanguageModel, load_model

log = logging.getLogger(__name__)


class Engine:
    """Answers questions about pictures with one loaded model.

    Args:
        profile: What the model is.
        model: The loaded model.
        calibration: Turns log-probabilities into confidences.
        limits: What the engine takes on.

    Attributes:
        prefix_hits: Requests whose picture was encoded before.
        prefix_misses: Requests whose picture was not.
    """

    def __init__(
        self,
        profile: Profile,
        model: VisionLanguageModel,
        calibration: Calibration = Calibration(),  # noqa: B008 - frozen
        limits: EngineLimits = EngineLimits(),  # noqa: B008
    ) -> None:
        self.profile = profile
        self._model, self._calibration, self._limits = model, calibration, limits
        self._prefixes: LRUCache[str, PictureCache] = LRUCache(limits.bytes, lambda it: it.bytes)
        self._queue: queue.SimpleQueue[Request | None] = queue.SimpleQueue()  # None: the end
        self._closing, self._encoding = threading.Lock(), threading.Lock()
        self._closed = self._refusing = False
        self.prefix_hits = self.prefix_misses = 0
        self._workers = [
            threading.Thread(target=self._work, name=f"glimpse-engine-{number}", daemon=True)
            for number in range(limits.workers)
        ]
        for worker in self._workers:
            worker.start()

    @property
    def waiting(self) -> int:
        """How many requests are queued, near enough."""
        return self._queue.qsize()

    def capabilities(self, profile: str = "") -> Capabilities:
        """What the model can do beyond short answers: nothing."""
        return SHORT_ANSWERS

    def submit(
        self,
        picture: Picture,
        question: str | None,
        rank: int = 0,
        context: ChatContext = NO_CONTEXT,
    ) -> Future[Answer]:
        """Queue a question about a picture.

        Args:
            picture: What it is about.
            question: None asks for a caption.
            rank: Which answer: 0 the best one; others start with the token next in likelihood.
            context: Not used.

        Raises:
            EngineBusy: The queue is full.
            EngineClosed: The engine was shut down.
        """
        request = Request(picture, question, rank)
        with self._closing:
            if self._closed or self._refusing:
                raise EngineClosed("The engine was shut down.")
            if self._queue.qsize() >= self._limits.queue:
                raise EngineBusy("Too many questions are waiting.")
            self._queue.put(request)
        return request.future

    def answer(self, picture: Picture, question: str) -> Answer:
        """Answer a question about a picture; waits for it."""
        return self.submit(picture, question).result()

    def caption(self, picture: Picture) -> Answer:
        """Describe a picture in one sentence; waits for it."""
        return self.submit(picture, None).result()

    def refuse_waiting(self) -> int:
        """Refuse what nobody has begun to compute, and all later requests; tells how many.

        Whoever has to end soon calls this, so that everybody is told in time.
        """
        with self._closing:
            self._refusing = True
        refused = 0
        while True:
            try:
                request = self._queue.get_nowait()
            except queue.Empty:
                return refused
            if request is None:  # the end, which the workers wait for
                self._queue.put(None)
                return refused
            if request.future.set_running_or_notify_cancel():
                request.future.set_exception(EngineClosed("The engine is shutting down."))
                refused += 1

    def close(self) -> None:
        """Finish what is queued and stop; later requests are refused.

        Called from a future's callback, it does not wait for the end.
        """
        with self._closing:
            first, self._closed = not self._closed, True
        if first:
            self._queue.put(None)
        if threading.current_thread() not in self._workers:
            for worker in self._workers:
                worker.join()

    # -- a worker --------------------------------------------------------------------------

    def _work(self) -> None:
        while (requests := self._next_batch()) is not None:
            for part in self._parts(requests):
                self._serve(part)

    def _next_batch(self) -> list[Request] | None:
        """This worker's share of what waits, at least one request; None for the end."""
        waiting = [self._queue.get()]
        share = math.ceil((1 + self._queue.qsize()) / len(self._workers))
        while len(waiting) < min(share, self._limits.batch):
            try:
                waiting.append(self._queue.get_nowait())
            except queue.Empty:
                break
        requests = [request for request in waiting if request is not None]
        if len(requests) < len(waiting):
            self._queue.put(None)  # for the other workers, and for this one after these requests
            if not requests:
                return None
        return [r for r in requests if r.future.set_running_or_notify_cancel()]

    def _parts(self, requests: Sequence[Request]) -> Iterator[list[Request]]:
        """Those about known pictures first, for they take least; then a few new pictures at a time.

        So the first of many people who send a photo at once need not wait for the last one's.
        """
        by_digest: dict[str, list[Request]] = {}
        for request in requests:
            by_digest.setdefault(request.picture.digest, []).append(request)
        known = [digest for digest in by_digest if digest in self._prefixes]
        new = [digest for digest in by_digest if digest not in self._prefixes]
        most = self._limits.new_pictures
        for digests in [known, *(new[at : at + most] for at in range(0, len(new), most))]:
            if digests:
                yield [request for digest in digests for request in by_digest[digest]]

    def _serve(self, requests: Sequence[Request]) -> None:
        """Answer requests together; if that fails, one by one, so that one cannot spoil others."""
        if not requests:
            return
        try:
            answers = self._compute(requests)
        except Exception as error:
            if len(requests) == 1:
                log.exception("The model failed on one request.")
                requests[0].future.set_exception(error)
                return
            log.warning("A batch of %d failed; answering one by one.", len(requests))
            for request in requests:
                self._serve([request])
            return
        for request, answer in zip(requests, answers, strict=True):
            request.future.set_result(answer)

    def _compute(self, requests: Sequence[Request]) -> list[Answer]:
        with self._encoding:
            start = time.perf_counter()
            caches = self._encode([request.picture for request in requests])
        encoded = time.perf_counter()
        decoded: dict[int, Decoded] = {}
        kinds = [(request.question is None, request.rank > 0) for request in requests]
        for kind in sorted(set(kinds)):
            chosen = [i for i, its in enumerate(kinds) if its == kind]
            found = self._decode([caches[i] for i in chosen], [requests[i] for i in chosen])
            decoded.update(zip(chosen, found, strict=True))
        now = time.perf_counter()
        return [
            Answer(
                decoded[i].text,
                self._confidence(decoded[i], request.question),
                now - request.submitted,
                encoded - start,
                now - encoded,
                caches[i].detections.objects,
            )
            for i, request in enumerate(requests)
        ]

    def _encode(self, pictures: Sequence[Picture]) -> list[PictureCache]:
        """Prefix caches of the pictures; only those that are not kept are computed."""
        new = {p.digest: p.image for p in pictures if p.digest not in self._prefixes}
        fresh: dict[str, PictureCache] = {}
        self.prefix_misses += len(new)
        self.prefix_hits += len(pictures) - len(new)
        if new:
            fresh = dict(zip(new, self._model.read_pictures(list(new.values())), strict=True))
        caches = [fresh.get(p.digest) or self._prefixes[p.digest] for p in pictures]
        for picture, cache in zip(pictures, caches, strict=True):
            with suppress(ValueError):  # larger than all that may be kept
                self._prefixes[picture.digest] = cache
        while len(self._prefixes) > self._limits.pictures:
            self._prefixes.popitem()
        return caches

    def _decode(self, caches: Sequence[PictureCache], requests: Sequence[Request]) -> list[Decoded]:
        """Decode questions only, or captions only; all of rank 0, or all of other ranks."""
        decoding = self.profile.decoding
        prompts = [prompt_for(request.question) for request in requests]
        ranks = [request.rank for request in requests]
        if requests[0].question is not None:
            most, width, penalty = decoding.answer_tokens, decoding.answer_beams, 0.0
            scales = [decoding.scale_of(request.question or "") for request in requests]
            likely = [POLAR_ANSWERS if is_polar(each.question or "") else () for each in requests]
        else:
            most, width = decoding.caption_tokens, decoding.caption_beams
            penalty, scales, likely = decoding.length_penalty, [], []
        evidence = [
            evidence_for(self._model, cache.detections, request.question, decoding)
            for cache, request in zip(caches, requests, strict=True)
        ]
        if width == 1 or ranks[0]:
            return greedy(self._model, caches, prompts, most, scales, ranks, evidence, likely)
        return beam(self._model, caches, prompts, most, width, penalty, scales, evidence)

    def _confidence(self, decoded: Decoded, question: str | None) -> float:
        caption = question is None
        logprob = decoded.mean_logprob if caption else decoded.logprob
        return self._calibration.confidence(logprob, caption=caption)


def load_engine(
    profile: str = "starter",
    *,
    threads: int | None = None,
    int8: bool = True,
    limits: EngineLimits = EngineLimits(),  # noqa: B008
    progress: Progress = silent,
    device: str = "cpu",
    runtime: str = "auto",
    warm_up: bool = True,
) -> Engine:
    """Load a profile's model and start its engine.

    Args:
        profile: Name of a profile, or path of a TOML file.
        threads: CPU cores to use; all if None.
        int8: Quantise the language model; about twice as fast.
        limits: What the engine takes on.
        progress: Told what is fetched and converted.
        device: Where to compute, as PyTorch names it: "cpu" or "cuda", say. Elsewhere than on the
            CPU one worker of PyTorch computes in fp32, for eight bits are for CPUs.
        runtime: "openvino" or "torch"; "auto" takes OpenVINO for int8 models on the CPU that are
            worth a conversion.
        warm_up: Compute something first, so that the first person does not wait for that.

    Raises:
        ProfileError, AdapterError, WeightsError, DeviceError: One plain sentence each.
    """
    chosen = load_profile(profile)
    loaded = load_model(
        chosen, runtime, threads=threads, int8=int8, device=device, progress=progress
    )
    engine = Engine(
        chosen, loaded.model, loaded.calibration, replace(limits, workers=loaded.workers)
    )
    if warm_up:
        try:
            _warm_up(engine)
        except BaseException:
            engine.close()
            raise
        loaded.release()
    return engine


@dataclass(frozen=True)
class _Blank:
    image: Image.Image
    digest: str = ""


def _warm_up(engine: Engine) -> None:
    """Run everything once, so that the first person does not wait for it."""
    blank = _Blank(Image.new("RGB", (64, 64), "grey"))
    engine.submit(blank, "What is this?").result()
    engine.submit(blank, None).result()
    engine._prefixes.clear()
