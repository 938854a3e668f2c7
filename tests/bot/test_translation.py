"""German questions are asked of the model in English, and what is not understood is not guessed."""

from __future__ import annotations

import pytest

from bot.assistant.german_patterns import correction
from bot.assistant.translation.answers import in_english, in_german
from bot.assistant.translation.translator import CAPTION, translate

UNDERSTOOD = """
Welche Farbe hat der Hund? | What color is the dog?
welche farbe hat das auto | What color is the car?
WELCHE FARBE HAT DAS AUTO? | What color is the car?
Was für eine Farbe hat die Tür? | What color is the door?
Was fuer eine Farbe hat die Tuer? | What color is the door?
In welcher Farbe ist das Haus? | What color is the house?
Welche Farbe haben die Schuhe? | What color are the shoes?
Welche Farbe hat die Hose des Jungen? | What color are the boy's pants?
Welche Farbe hat das Hemd von dem Mann links? | What color is the man's shirt on the left?
Welche Haarfarbe hat die Frau? | What color is the woman's hair?
Bitte, welche Farbe hat der Küchentisch? | What color is the kitchen table?
Sag mal, welche Farbe hat der große Ball? | What color is the big ball?
Kannst du mir sagen, welche Farbe der Bus hat? | What color is the bus?
Ist das Auto rot? | Is the car red?
Ist der Himmel blau oder grau? | Is the sky blue or gray?
Sind die Wände weiß? | Are the walls white?
Wie viele Personen sind auf dem Bild? | How many people are in the picture?
Wieviele Hunde siehst du? | How many dogs are there?
Wie viele Hunde? | How many dogs are there?
Wie viele sind es? | How many are there?
Wie viele Kinder gibt es auf dem Foto? | How many children are there in the photo?
Wie viele Fenster hat das Haus? | How many windows does the house have?
Wie viele Teller stehen auf dem Tisch? | How many plates are on the table?
Wie viele Leute tragen einen Hut? | How many people are wearing a hat?
Wie viele Vögel sitzen auf dem Zaun? | How many birds are sitting on the fence?
Weißt du, wie viele Leute da sind? | How many people are there?
Gibt es hier einen Hund? | Is there a dog?
Gibt es Bäume im Hintergrund? | Are there any trees in the background?
Ist da ein Hund auf dem Foto? | Is there a dog in the photo?
Siehst du ein Auto? | Is there a car?
Kannst du eine Katze sehen? | Is there a cat?
Sind Menschen zu sehen? | Are there any people?
Ist auf dem Bild eine Katze? | Is there a cat in the picture?
Ist jemand auf dem Foto? | Is there anyone in the photo?
Liegt eine Gabel neben dem Teller? | Is there a fork next to the plate?
Kannst du sehen, ob da ein Fahrrad ist? | Is there a bike?
Hat er einen Hut auf? | Is he wearing a hat?
Hat die Frau lange Haare? | Does the woman have long hair?
Hat der Hund ein Halsband? | Does the dog have a collar?
Trägt der Mann eine Brille? | Is the man wearing glasses?
Trägt der Mann einen Koffer? | Is the man carrying a suitcase?
Hat der Mann einen Bart? | Does the man have a beard?
Was ist auf dem Tisch? | What is on the table?
Was liegt auf dem Teller? | What is on the plate?
Was siehst du im Hintergrund? | What is in the background?
Was hängt an der Wand? | What is hanging on the wall?
Was ist links? | What is on the left?
Welches Tier ist das? | What animal is this?
Was für ein Tier ist das? | What kind of animal is this?
Was ist das für ein Gebäude? | What kind of building is this?
Was hält der Mann? | What is the man holding?
Was hält die Frau in der Hand? | What is the woman holding?
Was hat das Kind auf dem Kopf? | What is on the child's head?
Was trägt die Frau? | What is the woman wearing?
Was macht der Mann? | What is the man doing?
Was tun die Leute im Park? | What are the people doing in the park?
Was isst der Junge? | What is the boy eating?
Was steht auf dem Schild? | What is written on the sign?
Welche Nummer steht auf dem Bus? | What number is on the bus?
Woraus ist der Tisch? | What is the table made of?
Aus welchem Material ist die Bank? | What is the bench made of?
Worauf sitzt die Katze? | What is the cat sitting on?
Worauf zeigt die Frau? | What is the woman pointing at?
Wo ist der Hund? | Where is the dog?
Wo steht das Auto? | Where is the car?
Wo sitzt die Katze? | Where is the cat sitting?
Wo wurde das Foto aufgenommen? | Where was the photo taken?
Wohin fährt der Bus? | Where is the bus going?
Wer ist der Mann? | Who is the man?
Wer hält den Ball? | Who is holding the ball?
Warum weint das Kind? | Why is the child crying?
Ist es Tag oder Nacht? | Is it day or night?
Ist es Winter? | Is it winter?
Welche Jahreszeit ist es? | What season is it?
Wie ist das Wetter? | How is the weather?
Scheint die Sonne? | Is the sun shining?
Regnet es? | Is it raining?
Wie spät ist es? | What time is it?
Wie alt ist der Mann? | How old is the man?
Ist der Mann glücklich? | Is the man happy?
Sieht die Frau müde aus? | Does the woman look tired?
Sitzt der Hund? | Is the dog sitting?
Schläft die Katze auf dem Sofa? | Is the cat sleeping on the couch?
Schaut das Mädchen in die Kamera? | Is the girl looking at the camera?
Fährt der Mann Fahrrad? | Is the man riding a bike?
Spielen die Kinder mit dem Ball? | Are the children playing with the ball?
Ist die Person links eine Frau? | Is the person on the left a woman?
Ist das eine Küche? | Is this a kitchen?
Sind das Schafe? | Are these sheep?
Ist das Wasser? | Is this water?
Ist das Wasser tief? | Is the water deep?
Ist die Tür offen? | Is the door open?
Hat der Mann den Mund offen? | Is the man's mouth open?
Welcher Sport wird gespielt? | What sport is being played?
Welcher Raum ist das? | What room is this?
Welcher Hund jagt die Katze? | What dog is chasing the cat?
Wird der Kuchen gegessen? | Is the cake being eaten?
Könnte das ein Hotel sein? | Could this be a hotel?
"""

REFUSED = """
Schreib mir ein Gedicht
Was ist die Hauptstadt von Frankreich?
Ist das der Eiffelturm?
Wie war dein Tag?
Gibt es keinen Hund?
Ist der Hund nicht schwarz?
Welcher der beiden Hunde ist größer?
Sieht das so aus, als würde es bald regnen?
Welche Frau küsst das Kind?
Was würdest du an seiner Stelle tun?
Wie viele Frösche fressen die Vögel?
Mag dieser Mann Helene Fischer?
Das ist mein Hund Rex
Was hältst du von dem Bild?
Ist er schwul?
Warum ist die Banane krumm geworden?
Glaubst du, dass er gewinnt?
Was kostet die Welt im Angebot?
der Hund
ist
Was macht das Bild mit dir?
""".strip().splitlines()


@pytest.mark.parametrize("pair", UNDERSTOOD.strip().splitlines())
def test_german_question_in_english(pair: str) -> None:
    german, _, english = pair.partition(" | ")
    found = translate(german)
    assert found is not None
    assert found.english == english


@pytest.mark.parametrize("german", REFUSED)
def test_what_is_not_surely_understood_is_not_guessed(german: str) -> None:
    assert translate(german) is None


@pytest.mark.parametrize(
    "german",
    """Was ist das?|was siehst du|Was siehst du auf dem Bild?|Was ist auf dem Bild zu sehen?
Was ist auf dem Foto?|Beschreibe das Bild|beschreib mir bitte das Foto|Was zeigt das Bild?
Was kann man hier sehen?|Was passiert hier?|Kannst du das Bild beschreiben?|Was ist hier los?
Sag mir, was du siehst|Kannst du mir sagen, was das ist?""".replace("\n", "|").split("|"),
)
def test_german_request_for_a_caption(german: str) -> None:
    found = translate(german)
    assert found is not None
    assert found.english == CAPTION


@pytest.mark.parametrize(
    "english",
    """What is in the hand?|Was it warm in here?|hat|Is the man in a die-cast car?|What was that?
Was the war over?|Is Bart alive?|Who is in the Bus?|Wo?|Is it hell?|Is it art?|hot dog""".replace(
        "\n", "|"
    ).split("|"),
)
def test_english_is_not_read_as_german(english: str) -> None:
    assert translate(english) is None


@pytest.mark.parametrize(
    ("first", "then", "english"),
    [
        ("Welche Farbe hat der Hund?", "und die Katze?", "What color is the cat?"),
        ("Welche Farbe hat der Hund?", "Und die Schuhe?", "What color are the shoes?"),
        ("Was macht der Mann?", "Was ist mit der Frau?", "What is the woman doing?"),
        ("Gibt es einen Hund?", "Welche Farbe hat er?", "What color is the dog?"),
        ("Gibt es einen Hund?", "Schläft er?", "Is the dog sleeping?"),
        ("Siehst du eine Katze?", "Und wo sitzt sie?", "Where is the cat sitting?"),
        ("Sind da Kinder?", "Was machen sie?", "What are the children doing?"),
        ("Wo ist das Auto?", "Ist es sonnig?", "Is it sunny?"),  # "es" may be the weather
    ],
)
def test_what_was_just_spoken_of(first: str, then: str, english: str) -> None:
    last = translate(first)
    assert last is not None
    found = translate(then, last)
    assert found is not None
    assert found.english == english
    assert translate("und die Katze?") is None


@pytest.mark.parametrize(
    ("answer", "question", "german"),
    [
        ("yes", "Is the car red?", "ja"),
        ("no", "Is there a dog?", "nein"),
        ("2", "How many dogs are there?", "zwei"),
        ("0", "How many dogs are there?", "keine"),
        ("47", "How many dogs are there?", "47"),
        ("red", "What color is the car?", "rot"),
        ("black and white", "What color is the dog?", "schwarz und weiß"),
        ("dogs", "What is on the couch?", "Hunde"),
        ("a red car", "What is in the street?", "ein rotes Auto"),
        ("an orange", "What is on the table?", "eine Orange"),
        ("teddy bear", "What is on the bed?", "Teddybär"),
        ("fork and knife", "What is on the table?", "Gabel und Messer"),
        ("on table", "Where is the cup?", "auf dem Tisch"),
        ("on the street", "Where is the car?", "auf der Straße"),
        ("in sky", "Where is the kite?", "am Himmel"),
        ("eating", "What is the man doing?", "essen"),
        ("eating grass", "What is the cow doing?", "Gras essen"),
        ("playing tennis", "What is the man doing?", "Tennis spielen"),
        ("sunny", "How is the weather?", "sonnig"),
        ("right", "Which side is the dog on?", "rechts"),
        ("stop", "What is written on the sign?", "Stopp"),
        ("10:30", "What time is it?", "10:30"),
        ("united airlines", "What is written on the airplane?", "united airlines"),
        ("larish and gomez", "What is on the wall?", None),
        ("kite surfing lesson", "What is this?", None),
    ],
)
def test_answer_in_german(answer: str, question: str, german: str | None) -> None:
    assert in_german(answer, question) == german


@pytest.mark.parametrize(
    ("said", "english"),
    [
        ("nein, ein Zug", "a train"),
        ("Nein, das ist ein rotes Auto.", "a red car"),
        ("Das sind drei Hunde", "three dogs"),
        ("die richtige Antwort ist blau", "blue"),
        ("nein", ""),
        ("nein, das ist Unsinn", ""),
        ("Ist das ein Zug?", ""),
        ("no, it's a bus", ""),
    ],
)
def test_german_correction_is_kept_in_english(said: str, english: str) -> None:
    assert correction(said) == english


def test_log_puts_german_answers_back() -> None:
    assert [in_english(said) for said in ("ja", "nein", "Rot", "zwei", "ein Hund", "Quatsch")] == [
        *("yes", "no", "red", "two", "a dog", "")
    ]
