"""Set phrases by which the words of a message are recognised, and what is read off them.

Requests match text from `text.plain`: lower case, no punctuation, "what's" written out; `REMARK`
and `COUNT` match text as it was written, and small talk a whole message without punctuation.
"""

from __future__ import annotations

import re

LAST = -1  # the number of "the last photo"
ALL = -2  # of "each of them"
CORRECTION_WORDS = 8  # of an answer that was put right


def any_of(*alternatives: str) -> str:
    """A group that matches one of some patterns."""
    return f"(?:{'|'.join(alternatives)})"


# --- requests -------------------------------------------------------------------------------------


_NOUN = r"(?:picture|photo|image|pic|photograph|scene|screenshot|snapshot|shot|selfie)s?"
_IT = rf"(?:this|that|it|these|those|them|here|(?:(?:the|this|that|my|these|those) )?{_NOUN})"
_IN_IT = rf"(?:here|(?:in|on) {_IT})"
_SOME = r"(?:(?:a|an|the|one|some) )?(?:(?!sentence)\w+ )?"
_BE = r"(?:is|are|was|were|'s|s)"

CAPTION = re.compile(
    r"(?:(?:can|could|would|will) you |i want you to |i would like you to )?(?:just )?"
    + any_of(
        rf"(?:describe|caption|explain|summari[sz]e|interpret|analy[sz]e)(?: {_IT})?"
        rf"(?: (?:in|with|using) {_SOME}(?:detail|words?|sentences?|english))?",
        rf"(?:what about |how about )?{_IT}",
        # Of a part, too: a caption is all there is to say.
        r"describe .+",
        r"(?:name|list|tell me) (?:everything|all)(?: (?:that )?you (?:can )?see)?",
        rf"what ?{_BE} {_IT}(?: (?:all )?(?:of|about|showing)| (?:a|an) {_NOUN} of)?",
        rf"what ?{_BE} (?:happening|going on|shown|visible|depicted|there)(?: {_IN_IT})?",
        rf"what ?{_BE} {_IN_IT}",
        rf"what (?:do|can|did) you (?:see|notice|recogni[sz]e)(?: {_IN_IT})?",
        rf"what does {_IT} (?:show|depict|contain|represent)",
        r"what am i (?:looking at|seeing)|what do we (?:see|have)(?: here)?",
        r"(?:(?:tell|show) (?:me )?(?:what|everything|all)|say what)(?: that)? you (?:can )?see"
        rf"(?: {_IN_IT})?",
        rf"tell me (?:more )?about {_IT}|tell me what {_IT} (?:is|shows?)",
        rf"tell me what {_BE} (?:(?:happening|going on)(?: {_IN_IT})?|{_IN_IT})",
        r"(?:(?:i )?(?:need|want|give|write|make|create|suggest|generate|get|provide) )?(?:me )?"
        rf"{_SOME}(?:captions?|descriptions?|alt(?:ernative)?(?: ?texts?)?)"
        rf"(?: (?:for|of|to|about) {_IT}(?: {_NOUN})?)?",
    )
    + r"(?: now| again| here)?"
)

MORE = re.compile(
    r"(?:can you |could you |please )?"
    + any_of(
        r"(?:tell me |say |give me |show me )?(?:a (?:bit|little) |some |any )?more(?: details?)?"
        rf"(?: about {_IT})?|be more (?:detailed|specific)|in more detail|more info(?:rmation)?",
        rf"(?:what|anything|something) else(?: (?:do|can) you see| is (?:there"
        rf"|visible))?(?: {_IN_IT})?",
        r"go on|continue|and\b(?: what)? else|elaborate|(?:describe|explain) (?:it "
        r"|this )?in (?:more )?"
        r"detail",
    )
)

_PERSON = any_of(
    r"person|people|man|men|woman|women|guys?|girls?|boys?|lady|ladies|gentleman|kids?|child",
    r"children|baby|actor|actress|singer|celebrity|player|dude|couple|athlete",
)
_PART = rf"(?:left|right|middle|cent(?:er|re)|front|back|(?:back|fore)ground|top|bottom|{_NOUN})"
_WHERE = rf"(?: (?:on|in|at|to|from) (?:the |this |that )?{_PART}(?: side)?)*"
_SOMEBODY = rf"(?:(?:the|this|that|these|those) (?:\w+ )?{_PERSON}{_WHERE}|he|she|they|him|her)"
_ANYBODY = rf"(?:{_SOMEBODY}|(?:this|that|these|those|it){_WHERE})"

WHO_IS = re.compile(
    any_of(
        rf"who ?(?:{_BE}|'re) {_ANYBODY}|who am i|who",
        # "Who is the driver?" asks for a name, "Who is the man looking at?" does not.
        rf"who {_BE} (?:the|this|that|these|those|his|her|their|my) "
        r"(?:(?!\w+(?:ing|est)\b|most\b|first\b|last\b|only\b)\w+ ?){1,6}"
        r"(?<! for)(?<! to)(?<! at)(?<! with)(?<! by)(?<! from)(?<! about)(?<! of)(?<! on)",
        rf"(?:(?:do|can) you (?:know|tell(?: me)?|say)|tell me|guess) who {_ANYBODY} {_BE}",
        rf"(?:what {_BE}|tell me) (?:his|her|their|(?:the|this|that) {_PERSON}'s)"
        r" (?:full |real |first |last )?names?",
        rf"do you (?:know|recogni[sz]e) {_SOMEBODY}",
        rf"(?:can you )?(?:identify|name|recogni[sz]e) {_SOMEBODY}",
    )
)

# What nobody should be judged on by a picture.
PRIVATE = re.compile(
    rf"(?:is|are) (?:{_SOMEBODY}|this|that|these|they)(?: an?| really)* "
    + any_of(
        r"gay|lesbian|bisexual|straight|homosexual|transgender|trans|queer",
        r"muslims?|jewish|jews?|christians?|catholics?|hindus?|atheists?|islamic",
        r"terrorists?|criminals?|democrats?|republicans?|(?:illegal )?immigrants?|illegals?",
    )
    + rf"(?: {_PERSON})?"
)

OUTSIDE = re.compile(
    any_of(
        r"^(?:what|who) (?:is|was) the (?:capital|president|population|prime minister)"
        r"(?: of\b|$)",
        r"^what (?:is|was) the (?:currency of|stock price|weather forecast|meaning of life|news)\b",
        r"^what is the weather (?:like )?in (?!the |this |that )|^what time is it in (?!th)",
        r"^what will the weather\b|\brecipe for\b|^what year did \w+ war\b",
        r"^(?:what is|how much is|calculate)? ?\d+ ?[-+*/x] ?\d+(?: ?=)?$",
        r"^who (?:invented|discovered) |^(?:what|which) day is (?:it )?today\b",
    )
)

CAN_YOU = re.compile(
    any_of(
        r"^(?:(?:can|could|would|will) you|i (?:want|need) you to|i'd like you to|let us|let's)",
        r"^(?:you (?:must|should|have to|need to)|just|now|from now on|try to)",
    )
    + r"(?: just)? +"
)
_PRODUCT = any_of(
    r"pictures?|photos?|images?|drawings?|paintings?|sketch|cartoon|video|logo|background|sticker",
    r"poem|story|song|joke|meme|list|copy|recipe|essay|haiku|website|version",
)
INSTRUCTION = re.compile(
    any_of(
        r"write|compose|draw|sketch|translate|rewrite|generate|sing|photoshop|colori[sz]e|upscale",
        r"ignore|disregard|pretend|roleplay|enhance|crop|rotate|resize|edit|remove|delete|erase",
        r"rate|roast|compare|explain (?:the|why|how)|do my|blur|google",
        r"solve|calculate|compute|convert|execute|design|imagine|summari[sz]e|reveal",
        r"forget (?:all|about|every\w*|your|the|what|previous)|act (?:as|like)|you are now",
        rf"(?:make|create|paint) (?:\w+ )*?{_PRODUCT}|paint (?:me|it|this)",
        r"(?:make|turn|change) (?:me|it|this|him|her|them|everything|the \w+ \w+)",
        r"search (?:for|the|google)|repeat (?:after|this|the|your)|replace (?:the|it|this|my)",
        rf"(?:give|send|show|find|get|tell) me (?:an? |some |another |the )?(?:\w+ )?{_PRODUCT}",
        r"add (?:a|an|some|the|my|text|more)|play (?:me|some|chess|a (?:game|song))",
        r"order (?:me|a|some)|speak (?:like|as)|answer (?:in|only|like|as)|help me|teach me",
    )
    + r"\b"
)

QUESTION_START = re.compile(
    any_of(
        r"(?:what|where|which|who|whose|whom|why)(?:'s|'re|s)?\b(?<!what a)(?! an? )",
        r"(?:is|are|was|were|does|do|did|can|could|will|would|should|has|had|am|any)\b(?!'s)",
        r"(?:isn't|aren't|doesn't|don't|wasn't)\b",
        r"have (?:all|some|many|the|they|these|those|any|we|he|she|it|you|people)\b",
        r"when (?:is|was|are|were|did|does|do|will|would)\b",
        r"how (?:many|much|old|big|tall|long|far|high|large|wide|deep|fast|often|hot|cold|warm)\b",
        r"how (?:\w+ )?(?:is|are|do|does|did|was|were|can|could|has|have|will|would|should)\b",
        r"how (?:come|about)\b|(?:from|to) where\b",
        any_of(
            r"in|on|at|from|to|of|for|with|under|behind|by|about|approx\w*|around|roughly",
            r"according|based|besides|aside|during|considering|between|judging|if",
        )
        + r"\b.*\b(?:what|which|whose|whom|who|how)\b",
        r"(?:tell me|name the|count|list|read|find|spot|locate|point|guess|identify) ",
        r"(?:the )?(?:colou?r|number|name|brand|type|kind|amount|position|age|breed|make|model"
        r"|location|gender) (?:of|on|in) ",
    )
)

CHOICE = re.compile(r"(?!trick)\w+ or \w+")

REMARK = re.compile(
    r"what an? |(?!.*\b(?:what|where|which|who|whose|when|why|how)\b)"
    + any_of(
        r"i|i'm|im|i've|my|you|you're|we|we're|they're|he's|she's",
        r"(?:this|that|it|here)(?:'s| is)",
        r"no|yes|wrong|look|wow|just|because|maybe|never mind|nothing|test|testing",
        r"(?:so |very |really |such an? )?(?:nice|beautiful|lovely|cute|great|cool|amazing|gorgeous"
        r"|pretty|good|funny|adorable|sweet|wonderful|stunning|awesome)",
    )
    + r"\b",
    re.IGNORECASE,
)

# Programs and queries, typed or pasted.
CODE = re.compile(
    r"^\s*</?[a-z]\w*[\s>]|\w\((?:[\"'\d]|\))|[;{}]\s*$|==|!=|=>|::|&&|\|\|"
    r"|^\s*(?:import|def|function|var|const|#include)\s|^\s*select\b.*\bfrom\b",
    re.IGNORECASE,
)
# Without what was said before, these ask for nothing.
INCOMPLETE = re.compile(
    r"(?:why|how|when|which|whose|how come)(?: (?:not|so|one|that))?|is|are|do|does|can|what is"
)

# "asdf", "hjkl", "qqqq", "xzcvbn": keys beside each other, one key, or no vowel; "rgb" is a word.
_LETTERS = any_of(
    r"\w*(?:asdf|sdfg|dfgh|fghj|ghjk|hjkl|qwer|wert[yz]|uiop|zxcv|yxcv|xcvb|cvbn|vbnm)\w*",
    r"(\w)\1{2,}",
    r"[bcdfghjklmnpqrstvwxz]{4,}",
)
TYPED_AT_RANDOM = re.compile(rf"{_LETTERS}(?: {_LETTERS})*")

COUNT = re.compile(r"count (?:all )?(?:of )?(?:the )?([\w' -]+?)[.!?]*", re.IGNORECASE)

# --- small talk -----------------------------------------------------------------------------------


_ALL = r"(?: (?:bot|glimpse|there|all|everyone|everybody|friend|mate|man|buddy|again))*"

_HOW_ARE_YOU = any_of(
    r"how are (?:you|things)(?: doing)?(?: today)?",
    r"how(?:'s| is) it going",
    r"what(?:'s| is|s) up",
    r"sup",
    r"nice to meet you",
    r"are you (?:there|ok|okay|awake|alive|online)",
)
_HI = r"(?:hi+|hey+|hello+|hiya|yo|howdy|greetings|good (?:morning|afternoon|evening|day))"
HELLO = re.compile(rf"{_HI}{_ALL}(?: {_HI}{_ALL})*(?: {_HOW_ARE_YOU}{_ALL})?|{_HOW_ARE_YOU}{_ALL}")

_FOR_WHAT = r"(?: for (?:that|this|your help|the help|the answer|helping))"
THANKS = re.compile(
    r"(?:(?:ok|okay|great|cool|nice|perfect|wow|oh|ah|good|awesome|yes|no) )?"
    + any_of("thanks", "thank you", "thankyou", "thx", "ty", "tysm", "cheers", "many thanks")
    + rf"(?: (?:a lot|a bunch|so much|very much|anyway|again)|{_FOR_WHAT})*{_ALL}"
)

GOODBYE = re.compile(
    r"(?:(?:ok|okay|thanks) )?"
    + any_of("bye+", "bye bye", "good ?bye", "good ?night", "see (?:you|ya)", "cya", "take care")
    + rf"(?: (?:later|soon|tomorrow))?{_ALL}"
)

_NODS = any_of(
    r"ok|okay|k|kk|alright|all right|sure|fine|right|correct|exactly|true|indeed|got it|i see",
    r"cool|wow|awesome|amazing|perfect|excellent|brilliant|fantastic|impressive",
    r"beautiful|lovely|cute|so (?:cool|cute|nice)|interesting|not bad|well done",
    r"(?:good|nice|great)(?: bot| job| work| one| answer)?|very good|(?:i )?(?:love|like) it",
    r"oh|ah|aha|(?:i )?love (?:you|this)|you(?:'re| are|re) (?:the best|great|awesome|amazing"
    r"|(?:so |very )?(?:good|smart|clever|funny|sweet|cute|helpful))|thats? (?:great|nice|good)",
    r"yes|yep|yeah|yup|(?:that|you)(?:'s|'re| is| are) (?:right|correct)",
)
# What may be said of a wrong answer as well as of a good one.
_LAUGHS = (
    r"(?:lo+l+|lma+o|rofl|(?:ha){2,}h?|(?:he){2,}|hm+|omg|wtf|what|huh|seriously|really|oops|xd)"
)
REACTION = re.compile(rf"(?:oh |ah |no )?{_LAUGHS}(?: {_LAUGHS})*")
_OATHS = any_of(
    r"shut (?:up|it|your mouth)|stfu|be quiet|silence|stop(?: it| talking)?|go away|get lost"
    r"|piss off",
    r"fuck(?: (?:you|off|this|it))?|screw you|damn(?: (?:you|it))?|shit|bullshit|crap|asshole"
    r"|bitch",
    r"(?:i )?hate (?:you|this)|(?:you (?:are |re )?(?:an? )?)?(?:idiot|moron|dumbass|loser|dumb"
    r"|trash"
    r"|garbage|rubbish|worthless|terrible|horrible|pathetic|ugly|annoying|boring)",
)
RUDE = re.compile(
    rf"(?:oh |just |please |you |are |so |what an? )*{_OATHS}(?: (?:bot|you|now|already))*"
)
FORGET = re.compile(
    r"(?:please |can you |could you |i want you to )*"
    + any_of(
        r"forget (?:about )?(?:me|everything|all(?: of it)?|my (?:\w+ )?(?:photos?|pictures?"
        r"|data))",
        r"(?:delete|erase|remove|clear|wipe) (?:(?:all )?(?:of )?my |the |all )?(?:personal )?"
        r"(?:data|history|photos?|pictures?|images?|everything|messages|account|info(?:rmation)?)",
        r"(?:delete|erase) (?:it|me|this|that)|stop (?:storing|keeping|logging) (?:my )?\w+",
        r"(?:i want to )?opt out|gdpr|right to be forgotten",
    )
    + r"(?: (?:please|now|from \w+ \w+))*"
)
NOD = re.compile(rf"(?:{_LAUGHS} )?{_NODS}(?: {_NODS})*")

_NOT_TRUE = any_of("wrong", "incorrect", "false", "nonsense", "not (?:right|true|correct|it)")
WRONG = re.compile(
    r"(?:(?:no|nope|nah|lol|sorry|but) )*"
    + any_of(
        rf"no|nope|nah|{_NOT_TRUE}|not (?:quite|really|at all)|try again",
        rf"(?:that|this|it)(?:'s| is|s) {_NOT_TRUE}",
        r"you(?:'re| are|re) (?:wrong|mistaken|lying|stupid|useless)|you suck",
        r"are you sure(?: about that)?|(?:bad|stupid) (?:bot|answer|job)",
    )
)

HELP = re.compile(
    any_of(
        r"(?:i need |need |some )?help(?: me)?|instructions|commands|menu",
        r"what (?:can|do) you do|what are you able to do",
        r"how (?:do|can|should) i (?:use (?:you|this|it)(?: bot)?|start|ask(?: a question)?)",
        r"how (?:do you|does (?:this|it|this bot)) work",
    )
)

ABOUT = re.compile(
    any_of(
        r"(?:who|what) are you|what(?: is|'s|s) your name|(?:introduce|tell me about) yourself",
        r"are you (?:a |an )?(?:real )?(?:bot|robot|human|human being|ai|real|machine|person)",
        r"are you (?:a |an )?(?:computer|chatgpt|gpt)|what (?:model|ai) are you",
        r"who (?:made|created|built|trained) you|what is your (?:system )?prompt",
        r"what(?: is|'s|s) your (?:favou?rite \w+|opinion|age)|what do you think|how do you feel",
        r"(?:how old|where) are you(?: from)?|are you (?:happy|sad|married|single|conscious)",
        r"do you (?:like|love) (?:it|me|this|that|dogs|cats|music)|do you have feelings",
        r"do you (?:speak|know) english|what languages? do you (?:speak|know)",
    )
)

# --- corrections: "The answer is a bus", or "No, it's a bus" --------------------------------------


# Rather too strict than too lax: what is read wrongly would be learnt.
_IS = r"(?:['\u2019]?s|['\u2019]?re| is| are| was| were| should be)"
_DENIAL = (
    r"(?:(?:no|nope|nah|wrong|incorrect|actually|not quite"
    r"|(?:that|this|it)['\u2019]?s (?:wrong|not right|incorrect|not true))[\s,.!:;-]+)+"
)
_SAID = re.compile(
    rf"(?:{_DENIAL})?the (?:right |correct |true |real )?answer(?: is| was| should be):? "
    r"(?P<plain>.+)"
    rf"|{_DENIAL}(?:it|that|this|he|she){_IS} (?P<one>.+)"
    rf"|{_DENIAL}(?:they|these|those|there){_IS} (?P<many>.+)"
    rf"|{_DENIAL}(?P<bare>an? .+)|(?:it|that|this){_IS} (?P<said>an? .+)"
    r"|(?:no[\s,.]+)?(?:it|that|this)(?: is|['\u2019]?s) not (?:an? |the )?[\w ]{1,30}[,;.] ?"
    rf"(?:but|(?:it|that|this){_IS}) (?P<instead>.+)",
    re.IGNORECASE,
)
_HEDGE = re.compile(r"(?:really|clearly|definitely|actually|just|obviously|probably|only)\s+", re.I)
_NOT_BUT = re.compile(r",? (?:and )?not .*$", re.IGNORECASE)
# After "it's", a thing, a number or a colour; all else may be an opinion.
_THING = re.compile(
    r"(?:an?|one|two|three|four|five|six|seven|eight|nine|ten|\d+|red|orange|yellow|green|blue"
    r"|purple"
    r"|pink|brown|black|white|gr[ae]y|(?:dark|light) \w+)\b",
    re.IGNORECASE,
)
_OPINION = re.compile(
    r"\b(?:not|n['\u2019]t|wrong|incorrect|right|correct|true|false|good|great|bad|fine|nice|ok"
    r"|okay"
    r"|lie|joke|shame|pity|stupid|ridiculous|nonsense|rubbish|perfect|better|worse|best|worst"
    r"|enough"
    r"|impressive|interesting|funny|amazing|awesome|cool|lovely|cute|adorable|beautiful|pretty|ugly"
    r"|obvious|unclear|clear|helpful|useless|hilarious|weird|strange|missing|gone|fake|yours|mine"
    r"|hers"
    r"|so|too|very|because|why|how|what|which|who|where|me|you|your|my|our|i|we|been|nothing"
    r"|something"
    r"|anything|everything|more|less|different|bit|lot|while|secret|mistake|problem|pictures?"
    r"|photos?"
    r"|images?|pics?|answers?|questions?|others?|same|describe|name|tell|say|show|thanks|thank"
    r"|please"
    r"|coming|going)\b",
    re.IGNORECASE,
)


def correction(text: str) -> str:
    """What an answer should have been, if a text says that; else ""."""
    found = _SAID.fullmatch(text.strip())
    if found is None or "?" in text:
        return ""
    said = next(group for group in found.groups() if group is not None)
    said = _NOT_BUT.sub("", _HEDGE.sub("", said)).strip(" .!,;:)('\"\u201c\u201d\u2019")
    if not said or len(said.split()) > CORRECTION_WORDS or re.search(r"[.!;,:]\s", said):
        return ""
    if _OPINION.search(said):
        return ""
    strict = any(found[group] is not None for group in ("one", "instead", "said"))
    return said if not strict or _THING.match(said) else ""


# --- references: "in picture 2", "the second photo", "#2" -----------------------------------------


_CARDINALS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
ORDINALS = (
    *("first", "second", "third", "fourth", "fifth"),
    *("sixth", "seventh", "eighth", "ninth", "tenth"),
)
_VALUES = (
    {word: number for number, word in enumerate(_CARDINALS, 1)}
    | {word: number for number, word in enumerate(ORDINALS, 1)}
    | {"last": LAST}
)
_PICTURES = r"(?:pictures?|photos?|images?|pics?|photographs?)"
_NUMBER = rf"(?:\d{{1,2}}\b(?!\s*%)|(?:{'|'.join(_CARDINALS)})\b(?!\s+of))"
_PLACE = rf"(?:{'|'.join(ORDINALS)}|last|\d{{1,2}}(?:st|nd|rd|th))"
_REFERENCE = re.compile(
    rf"(?:\bthe\s+)?\b{_PICTURES}(?:\s+|\s*\#\s*)(?:(?:number|no\.?|nr\.?)\s*)?\#?"
    rf"(?P<number>{_NUMBER}(?:(?:\s*,\s*|\s*,?\s*(?:and|or|&)\s+)\#?\d{{1,2}}\b)*)"
    rf"|(?:\bthe\s+)?\b(?P<place>{_PLACE})\s+{_PICTURES}\b"
    r"|(?:(?<=\bin )|(?<=\bon )|(?<=\bof )|(?<=\bfor )|(?<=\babout )|^)\#(?P<hash>\d{1,2})\b"
    r"|(?:(?<=^)|(?<=\bin )|(?<=\bon )|(?<=\bof )|(?<=\bfor )|(?<=\babout )|(?<=\band ))"
    rf"number\s+(?P<called>{_NUMBER})"
    r"|^(?:(?:and|what about|how about|and what about)\s+)?(?:number\s+|no\.?\s*|nr\.?\s*)?"
    r"(?P<alone>\d{1,2})[.!?]*$",
    re.IGNORECASE,
)
_EACH = re.compile(
    rf"(?P<in>\b(?:in|on|for|about) )?(?<!\bof )(?:\b(?:each|every)(?: one)?"
    rf"(?: of (?:them|these|those))?(?: (?:of (?:the|my|these|those) )?{_PICTURES})?"
    rf"|\b(?:all|both)(?: of)?(?: (?:the|my|these|those))? {_PICTURES}|\b(?:all|both) of them)"
    r"(?=[\s?.!,]*$)",
    re.IGNORECASE,
)
_OPENING = re.compile(rf"^(?:(?:in|on|for|about)\s+)?(?:{_REFERENCE.pattern})\s*[:,-]\s*", re.I)


def named_pictures(text: str) -> tuple[tuple[int, ...], str]:
    """Read picture numbers off a question.

    Args:
        text: Cleaned question, asked while several pictures are at hand.

    Returns:
        The numbers named, in order, counted from 1 (`LAST` for "the last photo"); and the
        question as one would ask it of a single picture.
    """
    matches = _REFERENCE.finditer(text)
    numbers = tuple(dict.fromkeys(number for match in matches for number in _values(match)))
    if not numbers and _EACH.search(text):
        return (ALL,), _EACH.sub(lambda each: f"{each['in'] or ''}the picture", text)
    if not numbers:
        return (), text
    return numbers, _REFERENCE.sub("the picture", _OPENING.sub("", text)).strip()


def _values(match: re.Match[str]) -> list[int]:
    named = next(group for group in match.groups() if group).lower()
    words = re.findall(rf"\d+|{'|'.join(_VALUES)}", named)
    return [_VALUES.get(word) or int(word) for word in words]
