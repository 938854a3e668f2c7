"""German adjectives, colours and adverbs, and their English ones."""

from __future__ import annotations

from functools import cache

from bot.translation.text import fold

COLOURS = """
rot red; blau blue; grün green; gelb yellow; schwarz black; weiß white; grau gray; braun brown
orange orange; lila purple; violett purple; rosa pink; pink pink; beige beige; türkis turquoise
golden gold; silbern silver; bunt colorful; dunkelblau dark_blue; hellblau light_blue
dunkelgrün dark_green; hellgrün light_green; dunkelrot dark_red; hellbraun light_brown
dunkelbraun dark_brown; schwarzweiß black_and_white; dunkelgrau dark_gray; hellgrau light_gray
blond blonde; brünett brunette
"""
_ADJECTIVES = """
groß big; klein small; lang long; kurz short; hoch tall; hoh tall; niedrig low; dick thick
dünn thin; breit wide; schmal narrow; tief deep; flach flat; schwer heavy; leicht light; voll full
leer empty; offen open; geöffnet open; geschlossen closed; zu closed; auf open; an on; aus off
zugezogen closed; neu new; alt old; jung young; modern modern; sauber clean; dreckig dirty
schmutzig dirty; ordentlich tidy; aufgeräumt tidy; unordentlich messy; chaotisch messy; nass wet
feucht wet; trocken dry; heiß hot; warm warm; kalt cold; kühl cool; hell bright; dunkel dark
laut loud; leise quiet; ruhig calm; wild wild; zahm tame; glatt smooth; rau rough; weich soft
hart hard; rund round; eckig square; quadratisch square; gerade straight; krumm crooked
schief crooked; glücklich happy; fröhlich happy; traurig sad; wütend angry; böse angry; müde tired
wach awake; hungrig hungry; durstig thirsty; ängstlich scared; überrascht surprised
gelangweilt bored; aufgeregt excited; entspannt relaxed; ernst serious; zufrieden content
freundlich friendly; gefährlich dangerous; sicher safe; gesund healthy; krank sick; tot dead
lebendig alive; verletzt hurt; schwanger pregnant; verheiratet married; allein alone
alleine alone; schön beautiful; hübsch pretty; hässlich ugly; süß cute; niedlich cute
lustig funny; seltsam strange; ungewöhnlich unusual; besonders special; normal normal; echt real
künstlich fake; teuer expensive; billig cheap; lecker tasty; frisch fresh; reif ripe; roh raw
gekocht cooked; gebraten fried; vegetarisch vegetarian; vegan vegan; süßlich sweet; sonnig sunny
bewölkt cloudy; wolkig cloudy; regnerisch rainy; windig windy; neblig foggy; stürmisch stormy
verschneit snowy; klar clear; gemustert patterned; gestreift striped; gepunktet spotted
kariert plaid; kaputt broken; zerbrochen broken; beschädigt damaged; rostig rusty; männlich male
weiblich female; erwachsen adult; kahl bald; bärtig bearded; nackt naked; barfuß barefoot
beschäftigt busy; beleuchtet lit; bemalt painted; gefüllt filled; bedruckt printed
verkleidet dressed_up; sichtbar visible; unscharf blurry; verschwommen blurry; schnell fast
langsam slow; belebt busy; voller full_of; überfüllt crowded; reserviert reserved
besetzt occupied; frei free; gleich the_same; verschieden different; unterschiedlich different
hölzern wooden; essbar edible; giftig poisonous; elektrisch electric; fertig finished
bereit ready; weit far; nah close; spät late; früh early; gut good; schlecht bad; warmherzig kind
dreieckig triangular; link left; recht right; mittler middle; ober top; unter bottom; vorder front
hinter back; erst first; zweit second; dritt third; ander other; ganz whole; einzig only
geparkt parked; angezündet lit; angeschnitten cut; geschnitten cut; behindert disabled
stark strong; schlank thin; reich rich; berühmt famous; professionell professional
festlich festive; elegant elegant; bequem comfortable; gemütlich cozy; eingeschaltet on
ausgeschaltet off; benutzt used; gebraucht used; steil steep; sauer angry; still still
stumpf blunt; scharf sharp; gefroren frozen; durchsichtig transparent; deutsch German
englisch English; amerikanisch American; wirklich real; städtisch urban; ländlich rural
rechteckig rectangular
"""
# Said for politeness or liveliness; the question means the same without them.
FILLERS = frozenset(
    fold(
        """denn eigentlich mal wohl gerade jetzt bitte so überhaupt vielleicht etwa genau momentan
        hier da dort ja nun also bloß darauf dabei irgendwo"""
    ).split()
)
_PLACES = """
links on_the_left; rechts on_the_right; vorne in_front; vorn in_front; hinten in_the_back
oben at_the_top; unten at_the_bottom; draußen outside; drinnen inside; drin inside; innen inside
außen outside; überall everywhere; zusammen together; nebeneinander next_to_each_other
nachts at_night; tagsüber during_the_day; heute today; zuhause at_home; unterwegs on_the_way
rückwärts backwards; vorwärts forward; daneben next_to_it; dahinter behind_it
davor in_front_of_it; darunter under_it; mittig in_the_middle
"""
_DEGREES = {
    "sehr": "very", "ziemlich": "quite", "ganz": "completely", "voellig": "completely",
    "zu": "too", "besonders": "especially", "komplett": "completely", "richtig": "really",
    "wirklich": "really",
}  # fmt: skip


def _read(section: str) -> dict[str, str]:
    entries = section.strip().replace("\n", ";").split(";")
    pairs = (entry.split() for entry in entries if entry.strip())
    return {fold(german): english.replace("_", " ") for german, english in pairs}


@cache
def colours() -> dict[str, str]:
    """English colours by folded German ones."""
    return _read(COLOURS)


@cache
def adjectives() -> dict[str, str]:
    """English adjectives by folded German ones, without endings; colours among them."""
    return _read(_ADJECTIVES) | colours()


@cache
def place_adverbs() -> dict[str, str]:
    """As in "links" → "on the left" and the like."""
    return _read(_PLACES)


@cache
def german_adjectives() -> dict[str, str]:
    """The way back, with umlauts: the first German word for each English one."""
    found: dict[str, str] = {}
    for section in (COLOURS, _ADJECTIVES):
        for entry in section.strip().replace("\n", ";").split(";"):
            german, english = entry.split()
            found.setdefault(english.replace("_", " "), german)
    return found


def degree(word: str) -> str | None:
    """Read "very" and its like, in front of an adjective."""
    return _DEGREES.get(word)


def attributive(word: str) -> str | None:
    """An adjective in front of a noun, whatever its ending: "großen" → "big"."""
    known = adjectives()
    for ending in ("en", "er", "es", "em", "e"):
        stem = word.removesuffix(ending)
        if stem != word:
            found = known.get(stem) or known.get(_with_e(stem))
            if found:
                return found
    return known[word] if word in {"orange", "lila", "rosa", "pink", "beige"} else None


def _with_e(stem: str) -> str:
    """As in "dunkl" → "dunkel", "teur" → "teuer"."""
    return f"{stem[:-1]}e{stem[-1:]}"


def predicative(word: str) -> str | None:
    """An adjective after "is": without an ending."""
    return (
        None
        if word in {"link", "recht", "ober", "unter", "hinter", "vorder"}
        else (adjectives().get(word))
    )
