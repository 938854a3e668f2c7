"""Word lists for what stands around a noun: colours, numbers, adjectives, fixed phrases."""

from data.questions.words import word_set

# Fixed phrases in which the noun is no thing in the picture, or another thing.
IDIOMS = """
a lot; at camera; baby carriage; baby carrier; baby pool; baby stroller; baby swing; ball cap;
ball field; ball game; ball pit; ball player; baseball cap; baseball field; baseball glove; bat
man; bathing suit top; beach chair; beach house; beach towel; beach volleyball; bean bag; bear
costume; bear hug; bike helmet; bike path; bike race; bike ramp; bike track; bike trail; bird
cage; bird feeder; bird house; boat dock; book bag; bowling ball; box car; boxing glove; boxing
gloves; boxing ring; bubble bath; bubble gum; bull rider; bull ring; bunny ears; bus stop; car
door; car park; car race; car seat; car show; car window; cat fish; child seat; city bus; close
up; cotton candy; cow costume; cow girl; crystal ball; cup cake; dog bowl; dog collar; dog
costume; dog food; dog house; dog park; dog race; dog show; dog sled; dog tag; dog toy; dog
track; dog treat; face mask; family dog; field hockey; fire engine; fire hydrant; fire works;
fish tank; flower dress; flower pot; full swing; golf cart; grass hill; grass skirt; hair cut;
hair do; hair net; home plate; home run; home team; horse drawn; horse race; horse show; hot dog
stand; ice hockey; ice skater; ice skating; in front; kiddie pool; life guard; man made;
mountain biker; mountain biking; mountain side; night club; obstacle course; of steps; on top;
paper bag; paper towel; park ranger; parking garage; parking lot; phone booth; police car;
police officer; police officers; pool table; pool toy; punching bag; rain boots; rock band; rock
climbing; rock climbs; rock concert; rock wall; running track; sand bag; sand box; sand castle;
sand dune; shopping cart; shopping mall; shoulder bag; side street; ski jump; ski lift; ski
mask; ski pole; ski poles; ski resort; ski slope; ski suit; sleeping bag; snow angel; snow ball;
snow boots; snow fort; snow gear; snow man; snow pants; snow shoes; snow suit; soccer player;
stage light; street lamp; street light; street performer; street sign; street vendor; suit case;
swim team; swimming pool slide; swing dance; table tennis; takes steps; tennis player; the
camera; tie dye; tie dyed; tie-dyed; tiger costume; top of; track meet; traffic cone; traffic
light; train station; train track; train tracks; tree branch; tree house; tree limb; tree line;
tree stump; tree trunk; wall mural; water balloon; water fountain; water gun; water hose; water
park; water polo; water ski; water skier; water skiing; water skis; water slide ride; water
sprinkler; water wings; window sill; wrestling match
"""

COLOURS = {
    "red": "red", "maroon": "", "orange": "orange", "yellow": "yellow", "green": "green",
    "blue": "blue", "purple": "purple", "pink": "pink", "brown": "brown", "black": "black",
    "white": "white", "gray": "gray", "grey": "gray", "tan": "tan", "beige": "tan",
    "blond": "blonde", "blonde": "blonde", "gold": "", "golden": "", "silver": "silver",
    "turquoise": "", "teal": "", "navy": "blue", "lime": "green", "cream": "", "striped": "",
    "multicolored": "", "multi-colored": "", "colorful": "", "colored": "", "plaid": "",
    "spotted": "", "checkered": "", "camouflage": "", "floral": "", "tricolor": "",
    "brightly": "", "tie-dyed": "", "flowered": "", "printed": "", "multicolor": "",
    "tri-colored": "", "polka": "", "dotted": "", "rainbow": "", "brindle": "", "patterned": "",
    "lavender": "", "violet": "", "burgundy": "", "neon": "", "fluorescent": "", "dyed": "",
}  # fmt: skip
# Colours that people mix up: neither may stand as a "no" for the other.
NEAR_COLOURS = tuple(
    word_set(group)
    for group in (
        "brown tan orange blonde red", "black gray brown", "gray silver white", "pink red purple",
        "yellow blonde tan white", "blue purple", "blue green", "red orange", "yellow orange green",
        "blue black gray", "tan white",
    )
)  # fmt: skip

ADJECTIVES = word_set(
    """small little big large huge giant tiny young old older elderly adult tall short long fat
    thin skinny furry fluffy shaggy hairy wet dry muddy dirty clean happy cute pretty
    beautiful smiling laughing shirtless barefoot bald bearded asian african american
    african-american indian caucasian light dark bright pale medium sized medium-sized
    long-haired short-haired haired blond-haired blonde-haired brown-haired dark-haired
    red-haired dark-skinned teenage male female leather denim plastic wooden metal rubber
    stuffed soft hard empty full open heavy winter summer long-sleeved short-sleeved
    sleeveless hooded knit straw cowboy baseball sports sport soccer football hockey tennis
    basketball lone single solo running leaping jumping sleeping standing baby mixed breed pet
    stray wild curly inflatable toy snowy grassy sandy rocky paved busy crowded new nice
    pretty fancy formal matching plain solid identical similar different very"""
)
NUMBERS = {
    "a": 1, "an": 1, "one": 1, "single": 1, "lone": 1, "two": 2, "three": 3, "four": 4,
    "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10, "2": 2, "3": 3, "4": 4,
    "5": 5, "both": 2, "another": 1, "the": 0, "his": 0, "her": 0, "its": 0, "their": 0, "this": 0,
}  # fmt: skip
VAGUE = word_set("""several many some few group crowd bunch lots various multiple numerous all""")
UNREAL = word_set(
    """toy stuffed fake painted no without cartoon inflatable imaginary plastic unseen"""
)
HUMAN_HINTS = word_set(
    """someone somebody he she him himself herself owner hand hands people's man's woman's boy's
    girl's person's child's wearing wears driver rider team crowd audience everyone men's
    women's silhouette figure figures they who face arms finger fingers lap"""
)
