"""Captions in German are whole, right sentences; what is not surely understood stays English."""

from __future__ import annotations

import itertools

import pytest

from bot.assistant.locale.german import GERMAN
from bot.assistant.locale.texts import ENGLISH
from bot.assistant.translation.caption_verbs import known_verbs
from bot.assistant.translation.captions import caption_in_german
from bot.assistant.translation.english import present_participle
from bot.assistant.translation.lexicon import caption_words, german_verbs
from bot.assistant.wording import say_caption

SENTENCES = """
an old man in a blue coat is reading a newspaper on a bench
| Ein alter Mann in einem blauen Mantel liest eine Zeitung auf einer Bank
a chef with a beard is cutting carrots in a kitchen
| Ein Koch mit Bart schneidet Karotten in einer Küche
a horse is eating hay in front of a barn | Ein Pferd frisst Heu vor einer Scheune
a cow is walking along the river | Eine Kuh läuft am Fluss entlang
a girl is walking along the road | Ein Mädchen geht die Straße entlang
a boy is walking down the hill | Ein Junge geht den Hügel hinunter
three women are walking up the stairs | Drei Frauen gehen die Treppe hinauf
a goat is climbing up a rock | Eine Ziege klettert auf einen Felsen
a bus is driving across the bridge | Ein Bus fährt über die Brücke
a cyclist is riding his bike through a tunnel
| Ein Radfahrer fährt mit seinem Fahrrad durch einen Tunnel
a farmer is riding an elephant | Ein Bauer reitet auf einem Elefanten
a family is riding a tram | Eine Familie fährt mit einer Straßenbahn
a child is riding a red scooter | Ein Kind fährt mit einem roten Roller
a clown is flying a kite at the beach | Ein Clown lässt einen Drachen am Strand steigen
a flag is flying over a castle | Eine Fahne weht über eine Burg
a seagull is flying over the sea | Eine Möwe fliegt über das Meer
a vase filled with roses is on a shelf | Eine Vase voller Rosen steht auf einem Regal
a bowl of soup and a spoon are on a table
| Eine Schüssel Suppe und ein Löffel stehen auf einem Tisch
a glass of water is next to a plate | Ein Glas Wasser steht neben einem Teller
a basket filled with green apples | Ein Korb mit grünen Äpfeln
a plate topped with fried eggs and bacon | Ein Teller mit gebratenen Eiern und Speck
a stuffed animal is sitting on a pillow | Ein Kuscheltier sitzt auf einem Kissen
a fire truck is parked next to a fire hydrant | Ein Feuerwehrauto steht neben einem Hydranten
a ship is docked in a harbor | Ein Schiff liegt in einem Hafen
a poster is hanging on a wall | Ein Plakat hängt an einer Wand
a lamp is on the ceiling | Eine Lampe hängt an der Decke
a dining room with a large table and four chairs
| Ein Esszimmer mit einem großen Tisch und vier Stühlen
there is a spoon next to the knife | Es gibt einen Löffel neben dem Messer
a woman holding a baby is standing at a window
| Eine Frau, die ein Baby hält, steht an einem Fenster
a man riding a camel is waving | Ein Mann, der auf einem Kamel reitet, winkt
a man wearing sunglasses and a hat is smiling | Ein Mann mit Sonnenbrille und Hut lächelt
a group of young girls are singing on a stage | Eine Gruppe von jungen Mädchen singt auf einer Bühne
a crowd of people is watching a parade | Eine Menschenmenge beobachtet eine Parade
a herd of goats is grazing on a hill | Eine Herde Ziegen grast auf einem Hügel
several ducks are swimming in a pond | Mehrere Enten schwimmen in einem Teich
a group of tourists is looking at a castle | Eine Gruppe von Touristen schaut eine Burg an
a teacher is looking for a pen | Ein Lehrer sucht einen Stift
a farmer is sitting on a tractor in a field | Ein Bauer sitzt auf einem Traktor auf einem Feld
a girl in a white and pink skirt is dancing | Ein Mädchen in einem weiß-rosafarbenen Rock tanzt
a balcony overlooking the sea | Ein Balkon mit Blick auf das Meer
a car is racing on a road | Ein Auto fährt schnell auf einer Straße
someone is riding a bike on a rocky path | Jemand fährt auf einem felsigen Weg Fahrrad
white dog and cat are playing | Ein weißer Hund und eine Katze spielen
a puppy is jumping to catch a butterfly | Ein Welpe springt, um einen Schmetterling zu fangen
a brown and white cow is lying in a meadow | Eine braun-weiße Kuh liegt auf einer Wiese
a black, white and brown cat is sitting on a roof
| Eine schwarz-weiß-braune Katze sitzt auf einem Dach
an adult is playing the piano | Ein Erwachsener spielt Klavier
a man is playing a video game | Ein Mann spielt ein Videospiel
a batter is swinging a bat | Ein Batter schwingt einen Schläger
a player is swinging at a ball | Ein Spieler schlägt nach einem Ball
a skier is skiing down a hill | Ein Skifahrer fährt auf Skiern einen Hügel hinunter
two dogs are fighting with each other | Zwei Hunde kämpfen miteinander
two sheep are standing next to each other | Zwei Schafe stehen nebeneinander
a bench is surrounded by trees | Eine Bank ist von Bäumen umgeben
a cake is decorated with strawberries | Ein Kuchen ist mit Erdbeeren geschmückt
the windows are open | Die Fenster sind offen
a fisherman is sitting at the end of a pier | Ein Angler sitzt am Ende eines Stegs
a photographer is on the side of the road | Ein Fotograf ist am Straßenrand
a man is sitting on a chair and a dog is lying on the floor
| Ein Mann sitzt auf einem Stuhl, und ein Hund liegt auf dem Boden
a man is wearing an apron and holding a knife | Ein Mann trägt eine Schürze und hält ein Messer
women dance in the rain | Frauen tanzen im Regen
a donkey pulls a cart | Ein Esel zieht einen Karren
a wooden bench is under a tree | Eine Holzbank steht unter einem Baum
a toy train is on the floor | Ein Spielzeugzug steht auf dem Boden
a baseball is lying in the grass | Ein Baseball liegt im Gras
a tennis racket is leaning against a fence | Ein Tennisschläger lehnt an einem Zaun
a man is brushing his teeth | Ein Mann putzt sich die Zähne
a dog is carrying a newspaper in its mouth | Ein Hund trägt eine Zeitung im Maul
a woman in black is talking on a phone | Eine Frau in Schwarz telefoniert
a student is waiting for a bus at a bus stop
| Ein Schüler wartet auf einen Bus an einer Bushaltestelle
two people are walking in a forest at night | Zwei Personen gehen nachts durch einen Wald
a wolf is running in the snow | Ein Wolf rennt durch den Schnee
a young boy in a red sweater and hat is jumping into a lake
| Ein kleiner Junge in einem roten Pullover und mit Hut springt in einen See
"""

REFUSED = """
a queen is holding a sword
a florb is on the table
a lion with its mouth open
a kitten is sleeping on a woman's lap
a dog is fighting with each other
a dogs is running
two dog is running
the man are sitting
a man is talking to
a man is ski the hill
a man is not here
the
on the table
a cup of
a sign that says stop
is a dog running?
ein Hund
"""


@pytest.mark.parametrize("pair", SENTENCES.strip().replace("\n| ", " | ").splitlines())
def test_a_caption_in_german(pair: str) -> None:
    english, _, german = pair.partition(" | ")
    assert caption_in_german(english) == german


@pytest.mark.parametrize("english", REFUSED.strip().splitlines())
def test_what_is_not_surely_understood_stays_english(english: str) -> None:
    assert caption_in_german(english) is None


@pytest.mark.parametrize("english", ["", " . ", "a man and " * 6 + "a", "a dog with " * 40, "?!"])
def test_odd_captions_stay_english(english: str) -> None:
    assert caption_in_german(english) is None


def test_every_verb_and_participle_has_its_german() -> None:
    for names, german, _ in caption_words("verb"):
        assert german in german_verbs(), names
    subjects = ("a man", "two dogs", "a group of cows", "a boat", "a lamp")
    for verb, subject in itertools.product(sorted(known_verbs()), subjects):
        for rest in ("", " the ball", " on a bike", " up a hill", " in the water with a hat"):
            caption_in_german(f"{subject} is {present_participle(verb)}{rest}")  # raises nothing


def test_doubts_and_missing_words_are_told_in_german() -> None:
    sure, unsure = "a dog swims .", "a florb swims ."
    assert say_caption(sure, GERMAN) == "Ein Hund schwimmt."
    doubtful = GERMAN.unsure_looks_like.format(answer="Ein Hund schwimmt.")
    assert say_caption(sure, GERMAN, sure=False) == doubtful
    assert say_caption(unsure, GERMAN) == GERMAN.in_english.format(answer="A florb swims.")
    hedged = ENGLISH.unsure_looks_like.format(answer="a florb swims.")
    assert say_caption(unsure, GERMAN, sure=False) == GERMAN.in_english.format(answer=hedged)
    assert say_caption(" . ", GERMAN) == GERMAN.cannot_tell
