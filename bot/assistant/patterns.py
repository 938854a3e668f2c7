"""Set phrases that tell requests about pictures from other requests.

Patterns match text from `cleaning.plain`: lower case, no punctuation, "what's" written out;
`REMARK` and `COUNT` match text as it was written.
"""

from __future__ import annotations

import re

from bot.assistant.smalltalk import any_of

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
        r"describe .+|(?:tell me |say )?(?:some )?more(?: details?)?|what else(?: do you see)?",
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
        rf"who ?(?:{_BE}|'re) {_ANYBODY}|who am i",
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
    )
    + r"\b",
    re.IGNORECASE,
)

COUNT = re.compile(r"count (?:all )?(?:of )?(?:the )?([\w' -]+?)[.!?]*", re.IGNORECASE)
