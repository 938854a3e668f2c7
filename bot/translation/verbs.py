"""German verbs and their English ones.

An entry is "infinitive he-form participle english", with "+" after a prefix that stands alone
("aus+sehen": "er sieht ... aus") and "_" for a space in English.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from bot.translation.text import fold

# Said of what goes on: "is eating".
_ACTIVITIES = """
essen isst gegessen eat; fressen frisst gefressen eat; trinken trinkt getrunken drink
kochen kocht gekocht cook; backen backt gebacken bake; schneiden schneidet geschnitten cut
füttern füttert gefüttert feed; kauen kaut gekaut chew; halten hält gehalten hold
fest+halten hält festgehalten hold; tragen trägt getragen wear; an+haben hat angehabt wear
auf+haben hat aufgehabt wear; ziehen zieht gezogen pull; schieben schiebt geschoben push
drücken drückt gedrückt push; werfen wirft geworfen throw; fangen fängt gefangen catch
schlagen schlägt geschlagen hit; treten tritt getreten kick; heben hebt gehoben lift
fallen fällt gefallen fall; um+fallen fällt umgefallen fall_over
hin+fallen fällt hingefallen fall; stürzen stürzt gestürzt fall; laufen läuft gelaufen walk
gehen geht gegangen walk; rennen rennt gerannt run; springen springt gesprungen jump
hüpfen hüpft gehüpft jump; klettern klettert geklettert climb; schwimmen schwimmt geschwommen swim
tauchen taucht getaucht dive; fliegen fliegt geflogen fly; landen landet gelandet land
surfen surft gesurft surf; reiten reitet geritten ride; fahren fährt gefahren ride
segeln segelt gesegelt sail; tanzen tanzt getanzt dance; singen singt gesungen sing
spielen spielt gespielt play; posieren posiert posiert pose; lächeln lächelt gelächelt smile
lachen lacht gelacht laugh; weinen weint geweint cry; schreien schreit geschrien shout
sprechen spricht gesprochen talk; reden redet geredet talk
telefonieren telefoniert telefoniert talk_on_the_phone
sich+unterhalten unterhält unterhalten talk; lesen liest gelesen read
schreiben schreibt geschrieben write; malen malt gemalt paint; zeichnen zeichnet gezeichnet draw
arbeiten arbeitet gearbeitet work; lernen lernt gelernt study; warten wartet gewartet wait
schlafen schläft geschlafen sleep; liegen liegt gelegen lie; sitzen sitzt gesessen sit
stehen steht gestanden stand; hängen hängt gehangen hang; knien kniet gekniet kneel
lehnen lehnt gelehnt lean; sich+ausruhen ruht ausgeruht rest; ruhen ruht geruht rest
schauen schaut geschaut look; gucken guckt geguckt look; blicken blickt geblickt look
an+schauen schaut angeschaut look_at; an+sehen sieht angesehen look_at
an+gucken guckt angeguckt look_at; fern+sehen sieht ferngesehen watch_TV
beobachten beobachtet beobachtet watch; betrachten betrachtet betrachtet look_at
zeigen zeigt gezeigt point; winken winkt gewinkt wave; grasen grast gegrast graze
weiden weidet geweidet graze; bellen bellt gebellt bark; jagen jagt gejagt chase
kämpfen kämpft gekämpft fight; streiten streitet gestritten fight; küssen küsst geküsst kiss
umarmen umarmt umarmt hug; streicheln streichelt gestreichelt pet; berühren berührt berührt touch
benutzen benutzt benutzt use; verwenden verwendet verwendet use; putzen putzt geputzt clean
waschen wäscht gewaschen wash; duschen duscht geduscht shower; baden badet gebadet bathe
bürsten bürstet gebürstet brush; rasieren rasiert rasiert shave; rauchen raucht geraucht smoke
feiern feiert gefeiert celebrate; heiraten heiratet geheiratet get_married
kaufen kauft gekauft buy; verkaufen verkauft verkauft sell; reparieren repariert repariert repair
bauen baut gebaut build; fotografieren fotografiert fotografiert photograph
filmen filmt gefilmt film; üben übt geübt practice; scheinen scheint geschienen shine
regnen regnet geregnet rain; schneien schneit geschneit snow; brennen brennt gebrannt burn
leuchten leuchtet geleuchtet glow; wachsen wächst gewachsen grow; blühen blüht geblüht bloom
fließen fließt geflossen flow; sich+bewegen bewegt bewegt move
überqueren überquert überquert cross; ab+biegen biegt abgebogen turn
bremsen bremst gebremst brake; servieren serviert serviert serve; lecken leckt geleckt lick
beißen beißt gebissen bite; gähnen gähnt gegähnt yawn; schaukeln schaukelt geschaukelt swing
rutschen rutscht gerutscht slide; führen führt geführt lead; strecken streckt gestreckt stretch
heraus+strecken streckt herausgestreckt stick_out; raus+strecken streckt rausgestreckt stick_out
vor+bereiten bereitet vorbereitet prepare; zu+bereiten bereitet zubereitet prepare
öffnen öffnet geöffnet open; schließen schließt geschlossen close
an+greifen greift angegriffen attack; folgen folgt gefolgt follow; joggen joggt gejoggt jog
angeln angelt geangelt fish; zelten zeltet gezeltet camp; wandern wandert gewandert hike
packen packt gepackt pack; suchen sucht gesucht look_for; an+führen führt angeführt lead
sich+spiegeln spiegelt gespiegelt be_reflected; balancieren balanciert balanciert balance
jonglieren jongliert jongliert juggle; pusten pustet gepustet blow
"""
# Said of what lasts: "does it need".
_STATES = """
haben hat gehabt have; brauchen braucht gebraucht need; mögen mag gemocht like
wollen will gewollt want; lieben liebt geliebt love; bedeuten bedeutet bedeutet mean
kosten kostet gekostet cost; wiegen wiegt gewogen weigh; passen passt gepasst fit
gehören gehört gehört belong; funktionieren funktioniert funktioniert work
besitzen besitzt besessen own; enthalten enthält enthalten contain; leben lebt gelebt live
wohnen wohnt gewohnt live; schmecken schmeckt geschmeckt taste; riechen riecht gerochen smell
kennen kennt gekannt know; heißen heißt geheißen be_called; wissen weiß gewusst know
aus+sehen sieht ausgesehen look
"""
# Said of pictures and of what was done to things; only their participles are needed.
_DONE = """
auf+nehmen nimmt aufgenommen take; machen macht gemacht make; bauen baut gebaut build
bedecken bedeckt bedeckt cover; parken parkt geparkt park; dekorieren dekoriert dekoriert decorate
schmücken schmückt geschmückt decorate; bestehen besteht bestanden make
verbinden verbindet verbunden connect; aus+stellen stellt ausgestellt display
ab+bilden bildet abgebildet picture; dar+stellen stellt dargestellt show; nutzen nutzt genutzt use
geben gibt gegeben give; stellen stellt gestellt put; befestigen befestigt befestigt attach
bemalen bemalt bemalt paint; füllen füllt gefüllt fill; drucken druckt gedruckt print
falten faltet gefaltet fold; brechen bricht gebrochen break; auf+stellen stellt aufgestellt set_up
an+binden bindet angebunden tie; an+leinen leint angeleint leash; fällen fällt gefällt cut_down
schicken schickt geschickt send; bringen bringt gebracht bring; tun tut getan do
sehen sieht gesehen see; erkennen erkennt erkannt see; entdecken entdeckt entdeckt see
finden findet gefunden find; beschreiben beschreibt beschrieben describe
nehmen nimmt genommen take
"""
POSITIONS = frozenset({"stehen", "liegen", "sitzen", "haengen"})
SEEING = frozenset({"sehen", "erkennen", "entdecken", "finden"})
# What a preposition means with a verb, where that is not what it means elsewhere.
PREPOSITIONS = {
    ("look", "in"): "at", ("look", "auf"): "at", ("look", "zu"): "at", ("look", "nach"): "toward",
    ("look", "an"): "at", ("look", "aus"): "out of", ("point", "auf"): "at", ("wait", "auf"): "for",
    ("ride", "mit"): "on", ("talk", "mit"): "to", ("lean", "an"): "against", ("wave", "zu"): "to",
    ("belong", "zu"): "to", ("walk", "zu"): "to", ("fly", "in"): "in", ("be", "aus"): "of",
    ("talk", "an"): "on", ("live", "an"): "at", ("made", "aus"): "of", ("belong", "in"): "in",
}  # fmt: skip
_AUXILIARIES = {
    "sein": "ist sind war waren bist seid sei", "haben": "hat haben hast habt hatte hatten",
    "werden": "wird werden wurde wurden wirst",
    "koennen": "kann koennen kannst koennt koennte koennten",
    "muessen": "muss muessen musst muesste", "sollen": "soll sollen sollte sollten",
    "duerfen": "darf duerfen darfst duerfte", "wuerden": "wuerde wuerden wuerdest",
    "moegen": "mag moegen magst moechte moechten",
}  # fmt: skip
PAST = frozenset(["war", "waren", "hatte", "hatten", "wurde", "wurden"])
MODALS = {
    "kann": "can", "koennen": "can", "kannst": "can", "koennt": "can", "koennte": "could",
    "koennten": "could", "muss": "must", "muessen": "must", "sollte": "should",
    "sollten": "should", "soll": "should", "sollen": "should", "darf": "may", "duerfen": "may",
    "wuerde": "would", "wuerden": "would", "wuerdest": "would", "darfst": "may", "musst": "must",
}  # fmt: skip


@dataclass(frozen=True)
class Verb:
    """One verb.

    Attributes:
        infinitive: Folded, without its prefix.
        prefix: That is parted from it in a main clause, or "".
        english: Base form.
        lasting: English says "does it need", not "is it needing".
    """

    infinitive: str
    prefix: str
    english: str
    lasting: bool = False


@dataclass(frozen=True)
class Finite:
    """What a finite form may be: verbs that share it, for their prefixes tell them apart."""

    verbs: tuple[Verb, ...]
    plural: bool
    singular: bool
    past: bool = False


@cache
def finite_forms() -> dict[str, Finite]:
    """Finite forms, folded, without prefixes."""
    found: dict[str, Finite] = {}

    def add(form: str, verb: Verb, *, plural: bool) -> None:
        old = found.get(form)
        verbs = (*(old.verbs if old else ()), verb)
        found[form] = Finite(
            verbs,
            plural or (old.plural if old else False),
            not plural or (old.singular if old else False),
            form in PAST,
        )

    for name, forms in _AUXILIARIES.items():
        for form in forms.split():
            plural = form in {"sind", "waren", "seid"} or form.endswith("en")
            add(form, Verb(name, "", "have" if name == "haben" else name, True), plural=plural)
    for verb, he, _ in _entries():
        if verb.infinitive == "haben" and not verb.prefix:
            continue
        add(he, verb, plural=False)
        add(verb.infinitive, verb, plural=True)
    add("machst", Verb("machen", "", "make"), plural=False)
    add("siehst", Verb("sehen", "", "see"), plural=False)
    add("erkennst", Verb("erkennen", "", "see"), plural=False)
    add("findest", Verb("finden", "", "find"), plural=False)
    add("gibt", Verb("geben", "", "give"), plural=False)
    return found


@cache
def participles() -> dict[str, Verb]:
    """As in "gemacht" → "make" and so on, folded."""
    found: dict[str, Verb] = {}
    for verb, _, participle in _entries():
        found.setdefault(participle, verb)
    return found


@cache
def infinitives() -> dict[str, Verb]:
    """Infinitives, folded, with their prefixes."""
    found: dict[str, Verb] = {}
    for verb, _, _ in _entries():
        found.setdefault(("" if verb.prefix == "sich" else verb.prefix) + verb.infinitive, verb)
    return found


@cache
def prefixes() -> frozenset[str]:
    """What may stand alone at the end of a main clause."""
    return frozenset(verb.prefix for verb, _, _ in _entries() if verb.prefix) - {"sich"}


def in_full() -> list[tuple[str, str]]:
    """Infinitives as they are written, and their English verbs."""
    found = []
    for section in (_ACTIVITIES, _STATES):
        for entry in section.strip().replace("\n", ";").split(";"):
            infinitive, _, _, english = entry.split()
            whole = infinitive.replace("sich+", "sich ").replace("+", "")
            found.append((whole, english.replace("_", " ")))
    return found


@cache
def _entries() -> list[tuple[Verb, str, str]]:
    entries = []
    for section, lasting in ((_ACTIVITIES, False), (_STATES, True), (_DONE, False)):
        for entry in section.strip().replace("\n", ";").split(";"):
            infinitive, he, participle, english = fold(entry).split()
            prefix, _, rest = infinitive.partition(":")[0].rpartition("+")
            english = english.replace("_", " ").replace("tv", "TV")
            entries.append((Verb(rest, prefix, english, lasting), he, participle))
    return entries
