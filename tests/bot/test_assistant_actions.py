"""What follows an answer: another one, a rating; who speaks which language; who has to wait."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from engine_stand_in import Said, StandIn, open_photo, photo

from bot.assistant.assistant import DIFFERENT, Assistant
from bot.assistant.inference import LONG_QUEUE
from bot.assistant.locale.german import GERMAN
from bot.assistant.locale.texts import ENGLISH
from bot.assistant.privacy import Recorder
from bot.assistant.types import (
    Action,
    Ask,
    Caption,
    ChooseSettings,
    Conversation,
    Forget,
    Help,
    Incoming,
    Privacy,
    Rate,
    Rating,
    Reply,
    Retry,
    button_action,
)

AUTOMATIC = ENGLISH.settings.format(language="English", automatic=", as your device does")


class Person:
    """Talks to an assistant; `sees` has what was said before answers."""

    def __init__(self, engine: StandIn | None = None, **how: str) -> None:
        self.engine, self.how = engine or StandIn(), how
        self.ratings: list[Rating] = []
        self.told: list[str] = []
        recorder = Recorder()
        recorder.rate = self.ratings.append  # type: ignore[method-assign]
        self.assistant = Assistant(self.engine, open_picture=open_photo, recorder=recorder)

    async def say(self, text: str = "", *colours: str, **how: Any) -> Reply:
        who = {"platform": "web", "chat": "c", "user": "ann"} | self.how | how
        message = Incoming(**who, text=text, pictures=tuple(map(photo, colours)))

        async def tell(text: str) -> None:
            self.told.append(text)

        reply = await self.assistant.handle(message, tell)
        assert reply is not None
        return reply


async def press(person: Person, reply: Reply, label: str) -> Reply:
    (action,) = [button.action for button in reply.buttons if button.label == label]
    assert len(action) <= 40
    return await person.say(action)


async def test_trying_again_gives_other_answers_until_the_first_comes_round() -> None:
    ann = Person()
    reply = await ann.say("What color is it?", "red")
    for _ in range(DIFFERENT + 1):
        reply = await press(ann, reply, "Try again")
        assert reply.text == "Red."
    assert ann.engine.ranks == [0, 1, 2, 3, 4, 0, 1]
    assert {question for _, question in ann.engine.asked} == {"What color is it?"}
    await ann.say("Is it red?")
    await ann.say("/retry Is it red?")
    await ann.say("/retry /caption")
    assert ann.engine.ranks[-3:] == [0, 1, 1]
    assert ann.engine.asked[-1] == ("red", None)


async def test_trying_again_without_a_question_describes_and_without_a_picture_asks_for_one() -> (
    None
):
    ann = Person()
    assert (await ann.say("/retry")).text == ENGLISH.no_picture
    reply = await ann.say("", "red", "blue")
    await press(ann, reply, "Try again")
    assert ann.engine.asked == [("red", None), ("blue", None)] * 2
    assert ann.engine.ranks == [0, 0, 1, 1]
    await ann.say("/retry /help")
    assert ann.engine.ranks == [0, 0, 1, 1, 2, 2]


async def test_a_rating_names_its_answer_and_is_confirmed_in_passing() -> None:
    ann = Person()
    first, second = await ann.say("", "red"), await ann.say("Is it red?")
    assert len({first.number, second.number, ""}) == 3
    assert (await press(ann, second, "👎")).brief
    reply = await press(ann, first, "👍")
    assert (reply.text, reply.buttons, reply.error) == (ENGLISH.rated, (), False)
    assert ann.ratings == [
        Rating("web", "ann", second.number, good=False),
        Rating("web", "ann", first.number, good=True),
    ]
    unknown = await ann.say("/rate splendid")
    assert unknown.text == ENGLISH.unknown_command.format(command="/rate")
    assert len(ann.ratings) == 2
    assert ann.engine.ranks == [0, 0]


async def test_who_speaks_german_is_spoken_to_in_german() -> None:
    ann = Person(language="de-AT")
    assert (await ann.say("/start")).text == GERMAN.start
    reply = await ann.say("", "red")
    assert reply.text == f"Ein rotes Quadrat.\n\n{GERMAN.invite}"
    assert [button.name or button.label for button in reply.buttons] == [
        "Gute Antwort", "Schlechte Antwort", "Noch einmal",
    ]  # fmt: skip
    assert (await ann.say("Wie war dein Tag?")).text == GERMAN.foreign
    assert (await ann.say("", "bad")).text == GERMAN.refusals["not-a-picture"]
    assert (await ann.say("", "bad", language="fr")).text == "This file is no picture (bad)."


@pytest.mark.parity("`/settings`", "chat page")
async def test_settings_change_the_language_for_good_and_back() -> None:
    ann = Person(language="en-GB")
    reply = await ann.say("/settings")
    assert reply.text == AUTOMATIC
    reply = await press(ann, reply, "Deutsch")
    assert reply.text == GERMAN.settings_chosen
    assert (await ann.say("/start")).text == GERMAN.start
    assert (await ann.say("/start", user="ben")).text == ENGLISH.start
    reply = await ann.say("/settings")
    assert reply.text == GERMAN.settings.format(language="Deutsch", automatic="")
    assert (await press(ann, reply, "Wie mein Gerät")).text == AUTOMATIC
    assert (await ann.say("/settings klingon")).text == AUTOMATIC
    other = await ann.say("/settings", language="fr", user="luc")
    assert other.text == ENGLISH.settings.format(language="English", automatic="")


@pytest.mark.parametrize("before", [LONG_QUEUE - 1, LONG_QUEUE])
async def test_a_long_queue_is_told_of_once_and_before_the_answer(before: int) -> None:
    ann = Person(StandIn(held=True, ahead=before))
    asking = asyncio.ensure_future(ann.say("", "red", "blue"))
    while len(ann.engine.queue) < 2:
        await asyncio.sleep(0)
    await asyncio.sleep(0.01)
    told = list(ann.told)
    ann.engine.release()
    assert (await asking).text.startswith("1. A red square.")
    expected = [ENGLISH.queued.format(number=before)] if before >= LONG_QUEUE else []
    assert told == ann.told == expected


async def test_who_cannot_be_told_of_the_queue_gets_an_answer_all_the_same() -> None:
    async def fails(text: str) -> None:
        raise OSError(text)

    engine = StandIn(ahead=LONG_QUEUE)
    assistant = Assistant(engine, open_picture=open_photo)
    message = Incoming("web", "c", "ann", "", (photo("red"),))
    reply = await assistant.handle(message, fails)
    assert reply is not None
    assert reply.text.startswith("A red square.")


async def test_german_question_is_asked_in_english_and_answered_in_german() -> None:
    ann = Person(language="en")
    assert (await ann.say("Welche Farbe hat das Auto?", "blue")).text == "Blau."
    assert ann.engine.asked == [("blue", "What color is the car?")]
    assert (await ann.say("und der Bus?")).text == "Blau."
    again = await ann.say("/retry")
    assert ann.engine.asked[1:] == 2 * [("blue", "What color is the bus?")]
    assert (again.text, again.buttons[0].label) == ("Blau.", GERMAN.caption_button)
    (exchange,) = again.exchanges
    assert exchange.question == "What color is the bus?"
    assert exchange.original_question == "und der Bus?"
    assert (exchange.answer, exchange.translated_answer) == ("blue", "blau")
    assert (await ann.say("What color is it?")).text == "Blue."
    assert (await ann.say("und die Katze?")).text == GERMAN.foreign
    assert (await ann.say("Vielen Dank!")).text == GERMAN.thanks
    assert (await ann.say("Was siehst du?")).text == "Ein blaues Quadrat."
    assert (await ann.say("/caption")).text == "A blue square."


async def test_caption_is_german_where_the_chat_is_and_keeps_the_models_words() -> None:
    said = {"red": Said("two dogs are running"), "blue": Said("a florb"), "black": Said("a cat", 0)}
    colours = {photo(colour).digest: colour for colour in said}
    engine = StandIn(answer=lambda picture, question: said[colours[picture.digest]])
    ann = Person(engine, language="de")
    reply = await ann.say("/caption", "red", "blue", "black")
    assert reply.text.splitlines() == [
        "1. Zwei Hunde rennen.",
        f"2. {GERMAN.in_english.format(answer='A florb.')}",
        f"3. {GERMAN.unsure_looks_like.format(answer='Eine Katze.')}",
    ]
    assert [(e.answer, e.translated_answer, e.original_question) for e in reply.exchanges] == [
        ("two dogs are running", "Zwei Hunde rennen", ""),
        ("a florb", "", ""),
        ("a cat", "Eine Katze", ""),
    ]
    assert (await ann.say("/retry")).text == reply.text


async def test_german_question_of_an_old_answer_is_tried_again_in_german() -> None:
    ann = Person(language="en")
    first = await ann.say("Welche Farbe hat das Auto?", "blue")
    await ann.say("What color is it?", "red")
    again = await ann.say(action=Retry(first.number), reply_pictures=(photo("blue"),))
    assert ann.engine.asked[-1] == ("blue", "What color is the car?")
    assert again.text == "Blau."
    assert again.exchanges[0].original_question == "Welche Farbe hat das Auto?"
    assert (await ann.say("und der Bus?")).text == "Blau."


async def test_german_answer_that_is_not_sure_or_has_no_german_words() -> None:
    said = iter([Said("red", 0.1), Said("flibbertigibbet"), Said("unknown"), Said("yes", 0.1)])
    ann = Person(StandIn(answer=lambda picture, question: next(said)))
    expected = [
        GERMAN.unsure_say.format(answer="rot."),
        GERMAN.in_english.format(answer="flibbertigibbet."),
        GERMAN.cannot_tell,
        GERMAN.unsure_say.format(answer="ja."),
    ]
    answers = [(await ann.say("Welche Farbe hat das Auto?", "blue")).text]
    answers += [(await ann.say("Was ist auf dem Tisch?")).text for _ in range(2)]
    assert [*answers, (await ann.say("Ist das ein Hund?")).text] == expected


async def test_german_question_about_one_of_several_pictures() -> None:
    ann = Person(language="de")
    reply = await ann.say("Welche Farbe hat das Auto auf Bild 2?", "blue", "red")
    assert reply.text == "Rot."
    assert ann.engine.asked == [("red", "What color is the car in the picture?")]
    pressed = await ann.say("/retry /ask Pictures 1, 2: Welche Farbe hat das Auto?")
    assert pressed.text == "1. Blau.\n2. Rot."


# --- actions about an answer ----------------------------------------------------------------------


async def test_an_action_means_the_pictures_of_its_answer() -> None:
    ann = Person()
    album = await ann.say("", "red", "blue", place="album")
    second = await ann.say("Is picture 2 blue?")
    held = ("web", "c", "ann")
    assert album.place == second.place == "album"
    assert ann.assistant.holds(Conversation(*held), "album")
    await ann.say(action=Caption(second.number))
    await ann.say(action=Retry(second.number))
    await ann.say(action=Retry(album.number))
    asked = [("blue", None), ("blue", "Is the picture blue?"), ("red", None), ("blue", None)]
    assert ann.engine.asked[3:] == asked
    assert ann.engine.ranks[3:] == [0, 1, 1, 1]


async def test_pictures_that_are_shown_again_are_told_apart_by_what_is_in_them() -> None:
    ann = Person()
    await ann.say("", "red", "blue")
    second = await ann.say("Is picture 2 blue?")
    await ann.say("", "green")
    again = tuple(map(photo, ("blue", "white")))  # red could not be fetched
    await ann.say(action=Retry(second.number), reply_pictures=again)
    assert (ann.engine.asked[-1], ann.engine.ranks[-1]) == (("blue", "Is the picture blue?"), 1)


async def test_an_action_about_an_answer_that_is_not_known_means_the_last_one() -> None:
    ann = Person()
    await ann.say("Is it red?", "red")
    await ann.say(action=Retry("0" * 16))
    await ann.say(action=Caption("0" * 16))
    assert ann.engine.asked == [("red", "Is it red?")] * 2 + [("red", None)]
    assert (await ann.say(action=Retry(text="Is it blue?"))).text == "Red."
    assert ann.engine.asked[-1] == ("red", "Is it blue?")


async def test_a_refused_question_offers_a_caption_of_its_picture() -> None:
    ann = Person()
    await ann.say("", "red", place="there")
    refused = await ann.say("What is the capital of France?")
    assert (refused.error, refused.place) == (True, "there")
    about = ann.assistant.answer(refused.number)
    assert about is not None
    assert about.place == "there"
    await ann.say(action=Caption(refused.number))
    assert ann.engine.asked[-1] == ("red", None)


@pytest.mark.parametrize(
    "action",
    [
        Ask("Is it red?"),
        Caption(),
        Retry(),
        Rate("0" * 16, good=True),
        ChooseSettings(),
        ChooseSettings("de"),
        Help(),
        Privacy(),
        Forget(),
    ],
)
async def test_an_action_does_what_its_command_does(action: Action) -> None:
    ann, ben = Person(), Person()
    for person in (ann, ben):
        await person.say("", "red")
    by_action = await ann.say(action=action)
    by_command = await ben.say(action.command)
    assert replace(by_action, number="", buttons=(), exchanges=()) == replace(
        by_command, number="", buttons=(), exchanges=()
    )
    assert ann.engine.asked == ben.engine.asked
    if not isinstance(action, Ask | Help | Privacy | Forget):  # those have no button
        assert button_action(action.command) == action


def test_a_button_that_is_none_does_nothing() -> None:
    assert button_action("/rate nonsense") is None
    assert button_action("/caption please") is None
    assert button_action("/retry", "1") == Retry("1")
