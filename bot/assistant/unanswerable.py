"""Questions that a small model must not, or a picture cannot, answer; each gets an honest sentence.

Patterns match text from `text.plain`: lower case, no punctuation, "what's" written out. What the
model answers to such questions is a guess that may do harm (a diagnosis, a mushroom), or that no
pixel supports (a name, a price, a place); text is here because the encoder sees no letters.
"""

from __future__ import annotations

import re

from bot.assistant.patterns import any_of
from bot.assistant.types import Kind

_IT = (
    r"(?:this|that|it|these|those|they|the (?:\w+ ){0,2}\w+|(?:my|his|her|its|their) (?:\w+ )?\w+)"
)
_WHO = rf"(?:he|she|{_IT})"
_NOUN = r"(?:picture|photo|image|pic|photograph|video|screenshot|selfie|shot)s?"
_BE = r"(?:is|are|was|were)"
_WHOSE = r"(?:its|(?:the|this|that|my|your) (?:\w+ )?\w+'?s|(?:these|those|their))"
_LIVING = any_of(
    r"dogs?|cats?|pets?|animals?|horses?|puppy|puppies|kittens?|birds?|cows?|bears?|elephants?",
    r"person|people|man|men|woman|women|boys?|girls?|guys?|lady|child|children|kids?|baby|player",
    r"actors?|actress|singer|celebrity|team|band|family|bride|groom|driver|owner|artist",
)

_HEALTH = re.compile(
    any_of(
        r"\b(?:cancer(?:ous)?|malignant|benign|melanoma|tumou?rs?|cysts?|lesions?|diagnos\w+"
        r"|symptoms?"
        r"|infect(?:ed|ion|ious)|disease[sd]?|contagious|eczema|psoriasis|herpes|chickenpox|measles"
        r"|shingles|ringworm|fractured?|sprained|concussion|tick bite|insect bite|spider bite"
        r"|pregnan\w+|autis\w+|anorexi\w+|diabet\w+|medication|dosage|side effects|blood pressure"
        r"|x-?rays?|mri|ct scan|ultrasound|std|covid|corona(?:virus)?|mental(?:ly)? ill\w*)\b",
        rf"^{_BE} (?:this|that|it|my|his|her) (?:\w+ )?(?:mole|rash|spot|bump|lump|wound|cut|bruise"
        r"|scar|bite|burn|swelling|skin|tongue|nail|eye|throat|arm|leg|foot|ankle|wrist|finger|toe)"
        r"(?: (?:is|looks?))? (?:ok(?:ay)?|normal|bad|serious|dangerous|healthy|broken|swollen)",
        rf"^{_BE} {_WHO} (?:sick|ill|unwell|in pain|drunk|stoned|on drugs|depressed"
        r"|suicidal|disabled|overweight|obese|underweight|too (?:fat|thin))$",
        r"^(?:should|do) i (?:see|call|go to) (?:a|the|my) (?:doctor|dentist|vet|hospital)",
        r"^(?:what|which) (?:pill|drug|medicine|tablet)s? (?:is|are) (?:this|that|it|these)",
        r"\bwrong with (?:my|his|her|their|its) (?:skin|face|eyes?|teeth|tooth|leg|arm|foot|hand)",
        rf"^does {_IT} (?:have|need) (?:an? )?(?:fever|surgery|stitches|doctor|vet)",
    )
)
_EXPERT = re.compile(
    any_of(
        r"\b(?:edible|poisonous|toxic|venomous|radioactive|flammable|explosive|carcinogenic)\b",
        r"\bsafe (?:to|for)\b|^(?:can|should|may|could) (?:i|we|you|my (?:dog|cat|kid|child|baby)"
        r"|a dog|dogs|cats) (?:eat|drink|touch|swallow|lick)\b",
        r"\b(?:legal(?:ly)?|illegal(?:ly)?|lawful|lawsuit|sue|copyright(?:ed)?|liable|guilty)\b",
        r"\b(?:counterfeit|authentic|genuine|deep ?fake|photoshopped|ai generated)\b",
        rf"^{_BE} {_IT} (?:an? )?(?:scam|fraud|phishing|stolen)\b",
        r"^(?:will|would) (?:this|that|it|the \w+) (?:collapse|explode|hold my|kill)",
    )
)
_WRITTEN = any_of(
    r"signs?|shirts?|t-?shirts?|jerseys?|bus|buses|trains?|boats?|planes?|cars?|trucks?|labels?",
    r"banners?|posters?|boxe?s?|bottles?|cups?|books?|pages?|papers?|screens?|boards?|walls?"
    r"|clocks?",
    r"watch|tickets?|receipts?|menus?|letters?|notes?|caps?|hats?|plates?|buildings?|stores?"
    r"|shops?",
    r"cover|envelopes?|stickers?|magazines?|newspapers?|tattoos?|van|vehicles?|shoes?|bag",
)
_READING = re.compile(
    any_of(
        r"^(?:can you )?(?:please )?(?:read|transcribe|ocr|spell out|extract)\b(?! (?:my|his"
        r"|her) mind)",
        r"\bwhat (?:does|do|did|is) (?:.* )?(?:say|says|read|reads|spell|spells)\b(?: (?:on"
        r"|in) .*)?$",
        rf"\bwhat (?:(?:is|are) )?(?:\w+ )?{_BE} (?:written|printed|spelled|engraved|inscribed"
        rf"|typed)",
        r"\b(?:written|printed|inscribed) (?:on|in|at|under|above)\b.*$",
        r"^what (?:words?|letters?|text|sentence|slogan|writing|digits?|language)\b",
        r"^(?:what|which) numbers?(?: (?:is|are)| does)? .*\b(?:on|wearing|have|has|worn)\b",
        rf"^what {_BE} (?:the|her|his|their|its) (?:\w+ )?numbers?(?: (?:on|of) (?!people|dogs"
        rf"|cats).*)?$",
        r"\b(?:phone|telephone|house|plate|licen[sc]e|tail|flight|serial|route|bus|train|room|model"
        r"|account|card|tracking|isbn|bar) ?(?:plate|code)? numbers?\b|\blicen[sc]e plate\b"
        r"|\bbar ?code\b|\bqr ?code\b",
        rf"^what {_BE} the (?:names?|title) (?:of|on) (?:the |this |that )?(?:\w+ )?"
        r"(?:stores?|shops?|restaurants?|streets?|airlines?|compan(?:y|ies)|hotels?|books?|ships?"
        r"|boats?|bus|trains?|station|newspaper|magazine|movie|film|song|album|website|app|brand)",
        r"^what (?:street|avenue|road|airline|website|url|email|e-mail|address|company|channel)"
        r" (?:name )?(?:is|are|does|was|owns?)\b",
        r"^what time (?:is it|does|do|is (?:shown|displayed|on|the)|it is)\b(?! of (?:day|year))",
        rf"^(?:what|which) (?:brand|names?|logo|team|player)s? {_BE} (?:on|written|printed) ",
        rf"^is there (?:any )?(?:text|writing|words?) (?:on|in) (?:the|this|that) {_WRITTEN}"
        r".* and what\b",
        r"^(?:any |the )*(?:text|words?|letters?|writing|lettering|inscription)$",
        r"^translate\b.*\b(?:sign|text|menu|label|word|letter)s?\b",
    )
)
_PRICE = any_of(
    rf"how (?:much|many) (?:does|do|did|would|will|could) {_IT} cost"
    rf"|how much {_BE} {_IT}(?: worth)?",
    rf"(?:what|how much) {_BE} (?:the|its|their) (?:price|cost|value|worth)(?: of {_IT}| tag)?",
    rf"how (?:expensive|much money) {_BE} {_IT}|{_BE} {_IT} (?:very )?(?:expensive|cheap)",
    rf"(?:what|how much) {_BE} {_IT} worth|where can i (?:buy|get|find|order) .*",
)
_TAKEN = r"(?:taken|shot|made|captured|photographed|filmed|recorded|from|drawn|painted|built)"
_ORIGIN = any_of(
    rf"where {_BE} (?:this|that|the|these|it)(?: (?:\w+ )?{_NOUN})? {_TAKEN}",
    r"where (?:did|have) (?:you|they|he|she|i|we) (?:take|shoot|buy|get|find|meet) .*",
    rf"(?:in )?(?:what|which) (?:city|town|country|state|continent|village|street|neighbou?rhood)"
    rf"(?: {_BE} .*| does .*)?",
    rf"when {_BE} (?:this|that|the|these|it)(?: \w+)?(?: {_NOUN})? {_TAKEN}",
    rf"(?:in |on )?(?:what|which) (?:year|date|day|month|decade|century)(?: {_BE} .*| did .*)?",
    r"who (?:took|made|shot|photographed|painted|drew|built|owns|owned|designed|wrote|bought|sold)"
    r" .*",
    r"how old (?:is|are) (?:this|that|the) (?:\w+ )?(?:picture|photo|image|painting|building"
    r"|house)s?",
)
_MIND = any_of(
    rf"what {_BE} (?:{_IT}|he|she) (?:thinking|saying|dreaming|talking about|thinking about"
    r"|wishing|planning|going to (?:do|say)|singing|listening to)(?: .*)?",
    r"what (?:will|would) happen(?: next| if .*)?|who (?:will|would|is going to) win(?: .*)?",
    r"what happened (?:before|after|next)(?: .*)?|(?:does|do) (?:he|she|they|it) love .*",
    r"where (?:does|do|did) (?:he|she|they|it|\w+ \w+) (?:live|come from|work)",
    rf"{_BE} (?:he|she|they|{_IT}) (?:married|single|rich|poor|related|siblings|dating|famous"
    r"|divorced|gay|smart|intelligent|stupid|nice|a good person|trustworthy|lying)",
    r"(?:what|how much) (?:does|do) (?:he|she|they) (?:earn|weigh|make(?: a (?:year|month))?)",
)
_NAME = any_of(
    rf"what {_BE} {_WHOSE} names?|what {_BE} (?:it|this|that|they) (?:called|named)",
    rf"what {_BE} the names? of (?:this|that|the|these|those|my) (?:\w+ )?{_LIVING}(?: .*)?",
    rf"(?:does|do) {_IT} have (?:a )?names?",
)
_UNSEEN = re.compile(
    any_of(_PRICE, _ORIGIN, _MIND, _NAME) + r"(?: (?:in|on) (?:the|this|that) \w+)?"
)


# Of what a text is on, anybody can see the colour.
_LOOKS = re.compile(
    r"(?:what|which) (?:colou?r|shape|kind|type)s?\b|how (?:many(?! do)|big|large|long)\b"
)


def why_not(said: str) -> Kind | None:
    """Why a question gets a sentence instead of an answer; None if the model may answer.

    Args:
        said: The question, from `text.plain`.
    """
    if _LOOKS.match(said):
        return None
    if _HEALTH.search(said):
        return Kind.HEALTH
    if _EXPERT.search(said):
        return Kind.EXPERT
    if _READING.search(said):
        return Kind.READING
    return Kind.UNSEEN if _UNSEEN.fullmatch(said) else None
