"""Set phrases of greeting, thanks and the like: small talk that wants a kind word.

Each pattern matches a whole message in lower case without punctuation.
"""

from __future__ import annotations

import re


def any_of(*alternatives: str) -> str:
    """A group that matches one of some patterns."""
    return f"(?:{'|'.join(alternatives)})"


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
    r"lol|lmao|(?:ha){2,}|hehe|oh|ah|aha|hm+|omg|wtf",
    r"yes|yep|yeah|yup|(?:that|you)(?:'s|'re| is| are) (?:right|correct)",
)
NOD = re.compile(rf"{_NODS}(?: {_NODS})*")

_NOT_TRUE = any_of("wrong", "incorrect", "false", "nonsense", "not (?:right|true|correct|it)")
WRONG = re.compile(
    r"(?:(?:no|nope|nah|lol|sorry|but) )*"
    + any_of(
        rf"no|nope|nah|{_NOT_TRUE}|not (?:quite|really|at all)|try again|really",
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
