"""What is being written is shown in turns, the newest words only, and never after the answer."""

from __future__ import annotations

import asyncio

from bot.live_draft import LiveDraft, Pace


class Screen:
    """Shows texts when it is let."""

    def __init__(self) -> None:
        self.shown: list[str] = []
        self.fails = False
        self.turn, self.done = asyncio.Semaphore(0), asyncio.Event()
        self.done.set()

    async def wait(self) -> None:
        await self.turn.acquire()

    async def show(self, text: str) -> bool:
        self.shown.append(text)
        await self.done.wait()
        if self.fails:
            raise OSError
        return len(self.shown) < 3

    async def until(self, count: int) -> None:
        async with asyncio.timeout(5):
            while len(self.shown) < count:
                await asyncio.sleep(0)


async def test_the_newest_text_is_shown_in_turn_until_that_is_of_no_use() -> None:
    screen = Screen()
    live = LiveDraft(screen.wait, screen.show)
    for text in "abc":
        live.offer(text)
    for count, text in enumerate("cde", 1):
        screen.turn.release()
        await screen.until(count)
        assert screen.shown[-1] == text
        live.offer("de"[count - 1 : count] or "e")
    screen.turn.release()
    await asyncio.sleep(0.01)
    assert screen.shown == ["c", "d", "e"]
    await live.close()


async def test_what_is_on_its_way_arrives_before_the_answer_and_nothing_after_it() -> None:
    screen = Screen()
    live = LiveDraft(screen.wait, screen.show)
    screen.done.clear()
    screen.turn.release()
    live.offer("a")
    await screen.until(1)
    live.offer("b")
    closing = asyncio.ensure_future(live.close())
    await asyncio.sleep(0.01)
    assert not closing.done()
    screen.done.set()
    await asyncio.wait_for(closing, 5)
    live.offer("c")
    screen.turn.release()
    await asyncio.sleep(0.01)
    assert screen.shown == ["a"]


async def test_what_fades_is_shown_again_and_what_fails_is_no_trouble() -> None:
    screen = Screen()
    live = LiveDraft(screen.wait, screen.show, repeat=0.01)
    live.keep("a")
    screen.turn.release()
    await screen.until(1)
    screen.fails = True
    screen.turn.release()
    await screen.until(2)
    await live.close()
    assert screen.shown == ["a", "a"]


async def test_one_chat_has_a_turn_in_so_many_seconds_and_another_its_own() -> None:
    time, pace = asyncio.get_running_loop().time, Pace(0.05)
    start = time()
    order: list[int] = []

    async def take(number: int) -> None:
        await pace.turn("chat")
        order.append(number)

    await asyncio.gather(*(take(number) for number in range(3)))
    assert order == [0, 1, 2]
    assert time() - start > 0.099
    pace = Pace(3600)
    await pace.turn("chat")
    async with asyncio.timeout(5):
        await pace.turn("another")
