"""German nouns and their English ones.

An entry is "gender singular plural english", with "-" where there is no such number, "_" for a
space in English, and "english/plural" where English has an irregular plural. Of several German
words for one thing, the first is the one in which answers are given.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from bot.translation import things
from bot.translation.english import plural_of
from bot.translation.text import fold

_PEOPLE = """
f Person Personen person/people; m Mensch Menschen person/people; - - Leute person/people
m Mann Männer man/men; f Frau Frauen woman/women; f Dame Damen lady; m Herr Herren man/men
m Junge Jungen boy; m - Jungs boy; n Mädchen Mädchen girl; n Kind Kinder child/children
n Baby Babys baby; m Säugling Säuglinge baby; n Kleinkind Kleinkinder toddler
m Erwachsene Erwachsene adult; m Typ Typen guy; m Kerl Kerle guy; n Paar Paare couple
n Pärchen Pärchen couple; f Familie Familien family; f Gruppe Gruppen group; n Team Teams team
f Mannschaft Mannschaften team; f Menge Mengen crowd; f Menschenmenge Menschenmengen crowd
f Mutter Mütter mother; m Vater Väter father; f Mama Mamas mom; m Papa Papas dad
m Bruder Brüder brother; f Schwester Schwestern sister; m Sohn Söhne son
f Tochter Töchter daughter; - - Eltern parent; f Oma Omas grandmother; m Opa Opas grandfather
m Freund Freunde friend; f Freundin Freundinnen friend; f Braut Bräute bride
m Bräutigam Bräutigame groom; m Spieler Spieler player; f Spielerin Spielerinnen player
m Surfer Surfer surfer; f Surferin Surferinnen surfer; m Skifahrer Skifahrer skier
f Skifahrerin Skifahrerinnen skier; m Snowboarder Snowboarder snowboarder
m Skateboarder Skateboarder skateboarder; m Skater Skater skater; m Fahrer Fahrer driver
f Fahrerin Fahrerinnen driver; m Radfahrer Radfahrer cyclist; f Radfahrerin Radfahrerinnen cyclist
m Motorradfahrer Motorradfahrer motorcyclist; m Reiter Reiter rider; f Reiterin Reiterinnen rider
m Fußgänger Fußgänger pedestrian; m Passagier Passagiere passenger; m Fahrgast Fahrgäste passenger
m Zuschauer Zuschauer spectator; m Schiedsrichter Schiedsrichter umpire
m Werfer Werfer pitcher; m Fänger Fänger catcher
m Batter Batter batter; m Pitcher Pitcher pitcher; m Catcher Catcher catcher
m Polizist Polizisten police_officer; f Polizistin Polizistinnen police_officer
m Soldat Soldaten soldier; m Feuerwehrmann Feuerwehrmänner fireman/firemen; m Arzt Ärzte doctor
f Ärztin Ärztinnen doctor; m Koch Köche chef; f Köchin Köchinnen chef; m Kellner Kellner waiter
f Kellnerin Kellnerinnen waitress; m Verkäufer Verkäufer salesperson; m Bauer Bauern farmer
m Lehrer Lehrer teacher; m Schüler Schüler student; m Tourist Touristen tourist
m Sportler Sportler athlete; m Fotograf Fotografen photographer; m Arbeiter Arbeiter worker
m Clown Clowns clown; m Schneemann Schneemänner snowman/snowmen
m Weihnachtsmann Weihnachtsmänner Santa; m Künstler Künstler artist; m Musiker Musiker musician
m Besitzer Besitzer owner
"""

_ANIMALS = """
n Tier Tiere animal; m Hund Hunde dog; m Welpe Welpen puppy; f Katze Katzen cat; m Kater Kater cat
n Kätzchen Kätzchen kitten; n Pferd Pferde horse; n Fohlen Fohlen foal; n Pony Ponys pony
f Kuh Kühe cow; n Kalb Kälber calf/calves; m Stier Stiere bull; m Bulle Bullen bull
m Ochse Ochsen ox/oxen; n Schaf Schafe sheep/sheep; n Lamm Lämmer lamb; f Ziege Ziegen goat
n Schwein Schweine pig; m Esel Esel donkey; n Rind Rinder cow; m Elefant Elefanten elephant
f Giraffe Giraffen giraffe; n Zebra Zebras zebra; m Löwe Löwen lion; m Tiger Tiger tiger
m Bär Bären bear; m Eisbär Eisbären polar_bear; m Panda Pandas panda; m Affe Affen monkey
n Kamel Kamele camel; n Nashorn Nashörner rhino; n Nilpferd Nilpferde hippo; n Reh Rehe deer/deer
m Hirsch Hirsche deer/deer; m Fuchs Füchse fox; m Wolf Wölfe wolf/wolves; m Hase Hasen rabbit
n Kaninchen Kaninchen rabbit; n Eichhörnchen Eichhörnchen squirrel; f Maus Mäuse mouse/mice
f Ratte Ratten rat; m Vogel Vögel bird; f Ente Enten duck; f Gans Gänse goose/geese
m Schwan Schwäne swan; f Möwe Möwen seagull; f Taube Tauben pigeon; f Eule Eulen owl
m Adler Adler eagle; m Papagei Papageien parrot; n Huhn Hühner chicken; m Hahn Hähne rooster
m Strauß Strauße ostrich; m Pinguin Pinguine penguin; m Fisch Fische fish/fish; m Hai Haie shark
m Wal Wale whale; m Delfin Delfine dolphin; m Frosch Frösche frog
f Schildkröte Schildkröten turtle; f Schlange Schlangen snake
m Schmetterling Schmetterlinge butterfly; f Biene Bienen bee; f Spinne Spinnen spider
n Insekt Insekten insect; f Herde Herden herd; m Dinosaurier Dinosaurier dinosaur
n Bärenjunges Bärenjunge bear_cub; n Jungtier Jungtiere baby_animal
n Giraffenbaby Giraffenbabys baby_giraffe; n Elefantenbaby Elefantenbabys baby_elephant
"""

_CLOTHES = """
m Hut Hüte hat; f Mütze Mützen cap; f Kappe Kappen cap; m Helm Helme helmet
f Brille Brillen glasses/glasses; f Sonnenbrille Sonnenbrillen sunglasses/sunglasses
f Schutzbrille Schutzbrillen goggles/goggles; f Skibrille Skibrillen goggles/goggles
n Hemd Hemden shirt; n T-Shirt T-Shirts t-shirt; n Tshirt Tshirts t-shirt; n Shirt Shirts shirt
f Bluse Blusen blouse; n Trikot Trikots jersey; m Pullover Pullover sweater
m Pulli Pullis sweater; f Jacke Jacken jacket; m Mantel Mäntel coat; m Anzug Anzüge suit
n Kleid Kleider dress; - - Klamotten clothes/clothes; f Hose Hosen pants/pants
f Jeans Jeans jeans/jeans; f Shorts - shorts/shorts; - - Shorts shorts/shorts; m Rock Röcke skirt
m Schuh Schuhe shoe; m Turnschuh Turnschuhe sneaker; m Stiefel Stiefel boot
f Sandale Sandalen sandal; f Socke Socken sock; f Krawatte Krawatten tie; f Fliege Fliegen bow_tie
m Schal Schals scarf/scarves; m Gürtel Gürtel belt; m Handschuh Handschuhe glove
f Uniform Uniformen uniform; f Weste Westen vest; f Schwimmweste Schwimmwesten life_jacket
m Neoprenanzug Neoprenanzüge wetsuit; m Bikini Bikinis bikini; m Badeanzug Badeanzüge swimsuit
f Badehose Badehosen swimming_trunks/swimming_trunks; f Schürze Schürzen apron
n Lätzchen Lätzchen bib; m Schmuck - jewelry; f Kette Ketten necklace
f Halskette Halsketten necklace; m Ohrring Ohrringe earring; n Armband Armbänder bracelet
f Armbanduhr Armbanduhren watch; n Halsband Halsbänder collar; n Stirnband Stirnbänder headband
n Kopftuch Kopftücher headscarf/headscarves; n Kostüm Kostüme costume
f Kleidung - clothes/clothes; f Maske Masken mask; m Rucksack Rucksäcke backpack
f Krone Kronen crown; m Schleier Schleier veil; m Schlafanzug Schlafanzüge pajamas/pajamas
f Perücke Perücken wig; m Ehering Eheringe wedding_ring
"""

_BODY = """
m Kopf Köpfe head; n Gesicht Gesichter face; n Haar Haare hair/hair; n Auge Augen eye
n Ohr Ohren ear; f Nase Nasen nose; m Mund Münder mouth; n Maul Mäuler mouth
m Zahn Zähne tooth/teeth; f Zunge Zungen tongue; m Bart Bärte beard
m Schnurrbart Schnurrbärte mustache; m Hals Hälse neck; f Schulter Schultern shoulder
m Arm Arme arm; f Hand Hände hand; m Finger Finger finger; m Daumen Daumen thumb
n Handgelenk Handgelenke wrist; m Rücken Rücken back; m Bauch Bäuche belly; n Bein Beine leg
n Knie Knie knee; m Fuß Füße foot/feet; m Körper Körper body; f Haut - skin; f Pfote Pfoten paw
m Schwanz Schwänze tail; n Horn Hörner horn; m Rüssel Rüssel trunk; m Stoßzahn Stoßzähne tusk
f Mähne Mähnen mane; n Fell Felle fur/fur; m Schnabel Schnäbel beak; m Flügel Flügel wing
f Feder Federn feather; n Geweih Geweihe antlers/antlers; m Schoß Schöße lap
"""

_MASS = """
n Wasser - water; n Gras - grass; m Schnee - snow; n Eis - ice; m Sand - sand; m Regen - rain
m Rauch - smoke; n Feuer Feuer fire; m Nebel - fog; n Essen - food; n Brot Brote bread
m Käse - cheese; n Fleisch - meat; m Reis - rice; n Gemüse - vegetables/vegetables; n Obst - fruit
m Salat Salate salad; f Butter - butter; f Milch - milk; m Kaffee - coffee; m Tee - tea
n Bier Biere beer; m Wein Weine wine; m Saft Säfte juice; m Ketchup - ketchup; m Senf - mustard
f Sahne - cream; m Zuckerguss - frosting; m Zucker - sugar; n Salz - salt
f Schokolade - chocolate; n Holz - wood; n Metall - metal; n Glas:stoff - glass
n Plastik - plastic; n Papier - paper; m Stein:stoff - stone; n Leder - leather
m Beton - concrete; m Ziegel Ziegel brick; n Gepäck - luggage; m Müll - trash; m Schmutz - dirt
m Dreck - dirt; f Erde - dirt; m Schlamm - mud; m Staub - dust; n Gold - gold; n Silber - silver
n Graffiti - graffiti/graffiti; m Verkehr - traffic; n Licht Lichter light; n Geld - money
n Heu - hay; n Spielzeug Spielzeuge toy; n Geschirr - dishes/dishes; n Besteck - silverware
m Wind - wind; f Musik - music; n Wetter - weather; m Strom - electricity; n Porzellan - porcelain
f Seife - soap; m Stoff Stoffe fabric; m Marmor - marble; m Alkohol - alcohol
n Hühnchen - chicken; n Hähnchen - chicken; m Schinken - ham; m Speck - bacon
m Brokkoli - broccoli; m Blumenkohl - cauliflower; m Mais - corn; m Knoblauch - garlic
m Spinat - spinach; f Pasta - pasta; f Soße Soßen sauce; f Luft - air; n Gestrüpp - brush
n Möbel - furniture; - - Möbel furniture/furniture; n Laub - leaves/leaves
"""


@dataclass(frozen=True)
class Noun:
    """One noun in both languages.

    Attributes:
        gender: "m", "f", "n" or, of a plural, "".
        singular: In German, or "".
        plural: Likewise.
        english: Singular.
        english_plural: Equal to `english` where English has but one form for both.
        kind: "person", "animal", "clothes", "body", "mass", "vehicle", "place" or "thing".
    """

    gender: str
    singular: str
    plural: str
    english: str
    english_plural: str
    kind: str

    @property
    def counted(self) -> bool:
        """Whether English says "a" before it: not before "water", "pants" or "hair"."""
        return (self.kind != "mass" and self.english != self.english_plural) or self.english in _ONE


@dataclass(frozen=True)
class Form:
    """What one German word may be: a noun in the singular, the plural or both."""

    noun: Noun
    singular: bool
    plural: bool


_ONE = frozenset({"sheep", "deer", "fish"})
# At the end of a compound, these may mean anything.
_VAGUE = frozenset(
    [
        "wagen",
        "zeug",
        "zug",
        "platz",
        "teil",
        "bank",
        "stock",
        "rad",
        "bahn",
        "decke",
        "spiel",
        "seite",
        "ort",
        "form",
        "art",
        "stueck",
        "kette",
        "tag",
        "kette",
        "mann",
        "frau",
        "kiefer",
        "ring",
        "schein",
    ]
)
_WITHOUT_ARTICLE = frozenset(
    [
        "winter",
        "summer",
        "spring",
        "fall",
        "noon",
        "Christmas",
        "Halloween",
        "tennis",
        "baseball",
        "golf",
        "hockey",
        "football",
        "volleyball",
        "skiing",
        "surfing",
        "skateboarding",
        "snowboarding",
        "swimming",
        "riding",
        "equipment",
        "outdoors",
        "basketball",
    ]
)


def _read(section: str, kind: str) -> list[Noun]:
    nouns = []
    for entry in section.replace("\n", ";").split(";"):
        if not entry.strip():
            continue
        gender, one, many, english = entry.split()
        singular, _, plural = english.replace("_", " ").partition("/")
        of_its_own = "mass" if singular in _WITHOUT_ARTICLE else kind
        nouns.append(
            Noun(
                gender.strip("-"),
                one.partition(":")[0].strip("-"),
                many.partition(":")[0].strip("-"),
                singular,
                plural or plural_of(singular),
                of_its_own,
            )
        )
    return nouns


NOUNS: tuple[Noun, ...] = (
    *_read(_PEOPLE, "person"),
    *_read(_ANIMALS, "animal"),
    *_read(_CLOTHES, "clothes"),
    *_read(_BODY, "body"),
    *_read(things.VEHICLES, "vehicle"),
    *_read(things.THINGS, "thing"),
    *_read(things.PLACES, "place"),
    *_read(things.FOOD, "thing"),
    *_read(_MASS, "mass"),
    *_read(things.OTHER, "thing"),
)


@cache
def forms() -> dict[str, Form]:
    """Every form of every noun, folded; of nouns that look alike, the first."""
    found: dict[str, Form] = {}
    for noun in NOUNS:
        one = {fold(form) for form in _singular_forms(noun)}
        many = {fold(form) for form in _plural_forms(noun)}
        for form in one | many:
            if form not in found:
                found[form] = Form(noun, form in one, form in many)
    return found


def _singular_forms(noun: Noun) -> list[str]:
    """Nominative, genitive, and the cases of weak nouns ("den Bären", "des Jungen")."""
    one = noun.singular
    if not one:
        return []
    if noun.gender == "f":
        return [one]
    weak = noun.gender == "m" and noun.plural in {f"{one}n", f"{one}en"}
    return [one, f"{one}s", f"{one}es", f"{one}ses", *([noun.plural] if weak else [])]


def _plural_forms(noun: Noun) -> list[str]:
    """Nominative and dative."""
    many = noun.plural
    if not many:
        return []
    return [many] if many.endswith(("n", "s")) else [many, f"{many}n"]


def find(word: str) -> Form | None:
    """The noun of a folded word; of a compound that is not listed, one of its two parts' English.

    "Küchentisch" is a "kitchen table" although only "Küche" and "Tisch" are listed.
    """
    known = forms().get(word)
    return known or _compound(word)


def _compound(word: str) -> Form | None:
    for cut in range(len(word) - 3, 2, -1):
        last = forms().get(word[cut:].strip("-"))
        first = _first_part(word[:cut].strip("-"))
        if last is None or first is None or last.noun.kind in {"person", "body"}:
            continue
        if word[cut:] in _VAGUE:
            continue
        what = f"{first.english} "
        noun = last.noun
        joined = Noun(
            noun.gender,
            word[:cut].capitalize() + noun.singular.lower() if noun.singular else "",
            word[:cut].capitalize() + noun.plural.lower() if noun.plural else "",
            what + noun.english,
            what + noun.english_plural,
            noun.kind,
        )
        return Form(joined, last.singular, last.plural)
    return None


def _first_part(part: str) -> Noun | None:
    """The noun that a compound starts with: "Küchen", "Holz", "Geburtstags"."""
    if len(part) < 3:
        return None
    for stem in (part, part.removesuffix("s"), part.removesuffix("n"), f"{part}e"):
        form = forms().get(stem)
        if form is not None and len(stem) >= 3:
            return form.noun
    return None
