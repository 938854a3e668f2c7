"""The circuit breaker by itself, with a clock that the test turns."""

from __future__ import annotations

import threading

from model.breaker import BreakerSettings, BreakerState, CircuitBreaker

SETTINGS = BreakerSettings(failures=2, shortest=5.0, longest=40.0)


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def fail(breaker: CircuitBreaker) -> bool:
    ticket = breaker.admit()
    assert ticket is not None
    return breaker.failed(ticket)


def test_failures_in_a_row_open_it_and_a_trial_closes_it() -> None:
    clock = Clock()
    breaker = CircuitBreaker(SETTINGS, clock)
    early = breaker.admit()
    assert early is not None
    assert not fail(breaker)
    assert not breaker.succeeded(early)  # not in a row
    assert not fail(breaker)
    assert fail(breaker)
    assert (breaker.state, breaker.admit(), breaker.opened) == (BreakerState.OPEN, None, 1)
    assert not breaker.succeeded(early)  # from before it opened
    assert breaker.admit() is None
    clock.now += 5.0
    trial = breaker.admit()
    assert trial is not None
    assert breaker.succeeded(trial)
    assert breaker.state.value == "closed"


def test_it_opens_longer_and_longer_up_to_a_cap() -> None:
    clock = Clock()
    breaker = CircuitBreaker(SETTINGS, clock)
    fail(breaker)
    fail(breaker)
    for seconds in (5.0, 10.0, 20.0, 40.0, 40.0):
        clock.now += seconds - 0.1
        assert breaker.admit() is None
        clock.now += 0.1
        assert not fail(breaker)  # it was not closed before
    assert breaker.opened == 1


def test_who_flaps_is_left_alone_longer_who_was_well_for_long_is_not() -> None:
    clock = Clock()
    breaker = CircuitBreaker(SETTINGS, clock)
    fail(breaker)
    fail(breaker)

    def recover(seconds: float) -> None:
        clock.now += seconds
        ticket = breaker.admit()
        assert ticket is not None
        assert breaker.succeeded(ticket)

    recover(5.0)
    fail(breaker)
    assert fail(breaker)
    clock.now += 9.9
    assert breaker.admit() is None
    recover(0.1)
    clock.now += 11.0
    fail(breaker)
    assert fail(breaker)
    recover(5.0)


def test_there_is_one_trial_whoever_comes_at_once() -> None:
    clock = Clock()
    breaker = CircuitBreaker(SETTINGS, clock)
    fail(breaker)
    fail(breaker)
    clock.now += 5.0
    start, tickets = threading.Barrier(30), list[int | None]()

    def ask() -> None:
        start.wait()
        tickets.append(breaker.admit())

    threads = [threading.Thread(target=ask) for _ in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(tickets) == 30
    (trial,) = [ticket for ticket in tickets if ticket is not None]
    breaker.release(trial)  # taken back: another one may be the trial
    again = breaker.admit()
    assert again is not None
    assert breaker.admit() is None
    breaker.failed(again)
    assert breaker.state is BreakerState.OPEN
