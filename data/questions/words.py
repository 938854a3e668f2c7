"""Small hand-written word lists that the question maker reads captions with.

One line a thing: ``name: other names > wider names ! traits``. Plurals follow from rules.

Traits: ``p`` person, ``m``/``f`` male/female, ``y`` young, ``g`` a group word, ``a`` animal,
``v`` vehicle, ``w`` worn, ``s`` place. ``b`` means often in a picture without being named, so
"no" is only asked where the thing is unlikely; ``c`` means nearly always left out, so "no" needs
a picture in which it hardly could be. ``n`` means never asked about by presence.
"""


def word_set(text: str) -> frozenset[str]:
    """The words of a text, as a set."""
    return frozenset(text.split())


NOUNS = """
man: guy, gentleman, businessman, cowboy, groom, fisherman, father, dad, dude > person ! p m
woman: lady, bride, mother, mom, businesswoman > person ! p f
boy: schoolboy > child, person ! p m y
girl: schoolgirl > child, person ! p f y
baby: infant > child, person ! p y
child: kid, toddler > person ! p y
teenager: teen, youth > person ! p n
male: > person ! p m n
female: > person ! p f n
person: adult, human, someone, somebody, pedestrian, individual > ! p
player: athlete, quarterback, goalie, pitcher, batter, teammate, opponent, catcher > person ! p n
rider: jockey, passenger, driver, racer > person ! p n
cyclist: biker, bicyclist, motorcyclist > person ! p n
surfer: > person ! p n
skateboarder: skater > person ! p n
snowboarder: > person ! p n
skier: > person ! p n
climber: rock climber, mountain climber > person ! p n
hiker: > person ! p n
runner: jogger > person ! p n
swimmer: diver > person ! p n
dancer: > person ! p n
kayaker: canoer, paddler, rower > person ! p n
worker: construction worker, vendor, waiter, waitress, chef, butcher > person ! p n
musician: guitarist, drummer, singer, performer, entertainer > person ! p n
officer: policeman, police officer, soldier, guard, firefighter, fireman, referee > person ! p n
wrestler: boxer, fighter > person ! p n
clown: > person ! p n
student: teacher, instructor, coach > person ! p n
tourist: visitor, hitchhiker, photographer, artist, painter > person ! p n
friend: owner, sister, brother, son, daughter, parent, husband, wife > person ! p n
couple: pair > person ! p g n
crowd: audience, spectator, onlooker, fan, bystander > person ! p g n
group: team, family, band, class, bunch, gang > person ! p g n
dog: puppy, pup, greyhound, poodle, retriever, golden retriever, labrador, collie, border collie, \
german shepherd, terrier, bulldog, pitbull, pit bull, doberman, dalmatian, husky, beagle, boxer dog, \
hound, chihuahua, rottweiler, corgi, spaniel, pug, dachshund, sheepdog, mutt, canine, doggy, \
german shepard, lab > animal ! a
cat: kitten, kitty > animal ! a
horse: pony, colt, mare > animal ! a
cow: bull, calf, cattle, steer > animal ! a
sheep: lamb > animal ! a
goat: > animal ! a
bird: pigeon, duck, goose, swan, seagull, gull, eagle, parrot, owl, chicken, hen, rooster, ostrich, \
flamingo, hawk, falcon, crane bird, heron, pelican, turkey > animal ! a
elephant: > animal ! a
bear: > animal ! a
monkey: > animal ! a
camel: > animal ! a
fish: > animal ! a
rabbit: bunny > animal ! a
deer: > animal ! a
zebra: > animal ! a
giraffe: > animal ! a
squirrel: > animal ! a
lion: > animal ! a
tiger: > animal ! a
turtle: > animal ! a
pig: > animal ! a
donkey: mule > animal ! a
frog: > animal ! a
butterfly: > animal ! a
animal: creature > ! a
bike: bicycle, mountain bike, bmx bike > ! v
motorcycle: motorbike, dirt bike, motor bike, moped > ! v
car: race car, racecar, suv, taxi, cab, sedan, jeep, van, minivan, convertible > ! v b
truck: pickup truck, pickup, fire truck, lorry > ! v b
bus: > ! v
train: subway train, locomotive > ! v
boat: sailboat, canoe, kayak, raft, rowboat, ship, speedboat, motorboat, yacht > ! v
airplane: plane, jet, helicopter, aircraft > ! v
atv: quad, four wheeler, four-wheeler > ! v
scooter: > ! v
unicycle: > ! v
tractor: > ! v
wheelchair: > ! v
stroller: > ! v
wagon: cart, carriage > ! v
sled: sleigh, toboggan > ! v
ball: soccer ball, football ball, tennis ball, basketball ball, beach ball, volleyball ball, rugby ball, \
baseball ball, golf ball, bouncy ball, cricket ball > !
frisbee: disc, disk >
stick: >
bone: >
toy: chew toy, stuffed animal, teddy bear, doll, action figure > ! b
rope: > ! b
leash: > ! b
collar: > ! w b
skateboard: skate board >
surfboard: surf board, boogie board, bodyboard, wakeboard >
snowboard: >
ski: > ! b
skate: ice skate, roller skate, rollerblade, roller blade > ! b
kite: >
parachute: >
umbrella: parasol >
balloon: >
bubble: >
guitar: electric guitar, acoustic guitar >
drum: drum set, drum kit >
violin: >
piano: >
trumpet: saxophone, trombone, flute, tuba >
microphone: mic >
camera: video camera > ! b
cellphone: cell phone, phone, mobile phone, telephone > ! b
laptop: computer > ! b
television: tv > ! b
book: > ! b
newspaper: magazine >
paper: > ! b n
bag: purse, handbag, shopping bag, suitcase, luggage, plastic bag, grocery bag, duffel bag > ! b
backpack: rucksack > ! w b
bottle: water bottle > ! b
cup: mug, glass of water, coffee cup > ! b
beer: >
drink: beverage, soda > ! n
cigarette: cigar >
food: meal > ! b
cake: birthday cake > ! b
ice cream: ice cream cone, popsicle >
apple: > ! b
banana: > ! b
sandwich: hamburger, hotdog, hot dog > ! b
pizza: > ! b
bowl: > ! b
plate: > ! b
fork: > ! b
knife: > ! b
bat: baseball bat, cricket bat > ! b
racket: tennis racket, racquet, tennis racquet >
hockey stick: >
hoop: basketball hoop, hula hoop > ! b
goal: soccer goal > ! n
net: tennis net > ! n
trampoline: >
slide: water slide, waterslide > !
swing: swing set, tire swing >
ramp: skate ramp, skateboard ramp, half pipe >
hurdle: obstacle, agility pole >
rail: handrail, railing > ! b
tire: > ! n
inner tube: innertube, tube > ! n
tent: >
flag: > ! b
sign: stop sign > ! b
statue: sculpture > ! b
ladder: > ! b
basket: > ! b
bucket: > ! b
box: cardboard box > ! n
hose: garden hose >
sprinkler: >
fountain: >
bench: park bench > ! b
chair: lawn chair, armchair, seat, stool, folding chair, high chair > ! b
couch: sofa, loveseat > ! b
bed: bunk bed > ! b
table: picnic table, dining table, desk > ! b
blanket: > ! b
towel: > ! b
pillow: > ! b
carpet: rug > ! n
window: > ! c
door: doorway > ! c
stairs: staircase, stair, stairway, steps > ! b
fence: wire fence, chain link fence, wooden fence > ! c
wall: brick wall, stone wall, rock wall, climbing wall > ! c
building: skyscraper, tower > ! c
house: home, cabin > ! b
church: > ! b
tree: pine tree, palm tree > ! c
log: stump, branch > ! b
flower: > ! b
leaf: > ! n
bush: shrub > ! n
rock: boulder, stone > ! b
cliff: rock face, rock cliff > ! b
mountain: > ! b
hill: hillside > ! b s
bridge: > ! b
waterfall: >
puddle: > ! s
mud: > ! b s
sand: > ! b s
grass: lawn, tall grass > ! c s
snow: > ! s
ice: > ! b
water: > ! b s
wave: ocean wave > ! b
ocean: sea > water ! b s
river: stream, creek > water ! s
lake: pond > water ! s
pool: swimming pool, wading pool > water ! s
beach: seashore, shore > ! s
desert: > ! s
forest: woods > ! b s
field: meadow > ! c s
park: skate park, skatepark > ! n s
playground: > ! s
yard: backyard > ! n s
garden: > ! n s
street: road, city street, sidewalk > ! b s
trail: path, dirt path, dirt road > ! n s
track: race track, racetrack > ! n s
court: tennis court, basketball court > ! n s
stadium: arena > ! n s
gym: > ! s
ice rink: rink > ! s
restaurant: cafe > ! s
kitchen: > ! s
store: shop, supermarket > ! n s
market: > ! n s
stage: > ! s
subway: subway station, train station > ! n s
city: > ! n s
dock: pier > ! s
tunnel: > ! n
hat: cap, baseball cap, cowboy hat, beanie, santa hat, straw hat, winter hat > ! w b
helmet: hardhat, hard hat > ! w b
sunglasses: > ! w b
glasses: eyeglasses > ! w b
goggles: > ! w b
mask: > ! w b
headphones: > ! w b
scarf: > ! w b
bandana: bandanna > ! w b
shirt: t-shirt, tee shirt, tshirt, tank top, polo shirt, top > ! w n
jersey: > ! w n
sweater: > ! w n
sweatshirt: hoodie > ! w n
jacket: coat, winter coat, leather jacket > ! w n
vest: life vest, life jacket > ! w n
dress: sundress > ! w b
skirt: > ! w b
pants: trousers > ! w n
jeans: blue jeans > ! w n
shorts: > ! w n
trunks: swim trunks, swimming trunks > ! w n
swimsuit: bathing suit, swimming suit, bikini > ! w b
wetsuit: wet suit > ! w
suit: business suit > ! w b
uniform: > ! w n
costume: > ! w b
outfit: > ! w n
tie: > ! w b
apron: > ! w b
glove: > ! w b
shoe: sneaker, tennis shoe > ! w n
boot: > ! w n
sock: > ! w n
hair: > ! n
"""

IRREGULAR = {
    "man": "men", "woman": "women", "child": "children", "person": "people", "goose": "geese",
    "gentleman": "gentlemen", "businessman": "businessmen", "fisherman": "fishermen",
    "policeman": "policemen", "fireman": "firemen", "businesswoman": "businesswomen",
    "sheep": "sheep", "fish": "fish", "deer": "deer", "cattle": "cattle", "calf": "calves",
    "leaf": "leaves", "scarf": "scarves", "knife": "knives", "wife": "wives", "skier": "skiers",
    "glass of water": "glasses of water", "aircraft": "aircraft", "luggage": "luggage",
    "human": "humans", "pair": "pairs", "crane bird": "crane birds",
}  # fmt: skip

# Things that have no countable singular: "is there snow", "is there any mud".
UNCOUNTED = word_set("snow ice water sand grass mud food beer hair luggage")
ALWAYS_PLURAL = word_set(
    "stairs steps sunglasses glasses eyeglasses goggles headphones pants trousers jeans shorts "
    "trunks woods"
) | {"blue jeans", "swim trunks", "swimming trunks"}

# Fixed phrases in which the noun is no thing in the picture, or another thing.
IDIOMS = """
hot dog stand|dog show|dog house|dog race|dog sled|dog park|dog toy|dog food|dog bowl|dog collar|
dog track|bull ring|bull rider|horse race|horse show|cow girl|bear costume|bunny ears|top of|
on top|side street|swim team|ice hockey|water fountain|water balloon|water gun|water hose|
water sprinkler|water park|water polo|water ski|water skis|water skiing|water skier|
snow suit|snow pants|snow shoes|snow boots|snow gear|snow ball|snow fort|snow angel|snow man|
sand castle|sand box|sand dune|grass skirt|grass hill|ski lift|ski pole|ski poles|ski slope|
ski jump|ski resort|ski mask|beach towel|beach chair|beach house|beach volleyball|pool table|
pool toy|swimming pool slide|table tennis|street sign|street vendor|street light|street lamp|
street performer|city bus|park ranger|home plate|home run|home team|family dog|baby carriage|
baby stroller|baby carrier|baby pool|baby swing|kiddie pool|child seat|car seat|car door|
car window|car race|car show|boat dock|train tracks|train track|train station|bus stop|
bike race|bike trail|bike path|bike track|bike ramp|bike helmet|flower dress|flower pot|
tree trunk|tree branch|tree limb|tree stump|tree house|tree line|rock concert|rock band|
rock climbing|rock climbs|rock wall|wall mural|window sill|mountain biking|mountain biker|
mountain side|bubble bath|bubble gum|ball cap|ball game|ball pit|ball field|ball player|
baseball cap|baseball field|baseball glove|book bag|paper bag|paper towel|cup cake|ice skating|
ice skater|field hockey|track meet|stage light|a lot|suit case|bat man|box car|
man made|man-made|at camera|the camera|of steps|takes steps|in front|bathing suit top|
close up|bowling ball|crystal ball|cotton candy|hair cut|hair do|shoulder bag|sleeping bag|
punching bag|bean bag|face mask|boxing ring|boxing glove|boxing gloves|wrestling match|
running track|shopping cart|golf cart|shopping mall|tie dye|tie dyed|tie-dyed|life guard|
police car|police officer|police officers|fire hydrant|fire works|parking lot|parking garage|
phone booth|traffic light|traffic cone|swing dance|full swing|tennis player|soccer player
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
NEAR_COLOURS = (
    {"brown", "tan", "orange", "blonde", "red"}, {"black", "gray", "brown"}, {"gray", "silver", "white"},
    {"yellow", "blonde", "tan", "white"}, {"pink", "red", "purple"}, {"blue", "purple"},
    {"blue", "green"}, {"red", "orange"}, {"yellow", "orange", "green"}, {"blue", "black", "gray"},
    {"tan", "white"},
)  # fmt: skip

ADJECTIVES = word_set("""small little big large huge giant tiny young old older elderly adult tall short long fat thin
    skinny furry fluffy shaggy hairy wet dry muddy dirty clean happy cute pretty beautiful smiling
    laughing shirtless barefoot bald bearded asian african american african-american indian
    caucasian light dark bright pale medium sized medium-sized long-haired short-haired haired
    blond-haired blonde-haired brown-haired dark-haired red-haired dark-skinned teenage male female
    leather denim plastic wooden metal rubber stuffed soft hard empty full open heavy winter summer
    long-sleeved short-sleeved sleeveless hooded knit straw cowboy baseball sports sport soccer
    football hockey tennis basketball lone single solo running leaping jumping sleeping standing
    baby mixed breed pet stray wild curly inflatable toy snowy grassy sandy rocky paved busy crowded
    new nice pretty fancy formal matching plain solid identical similar different very""")
NUMBERS = {
    "a": 1, "an": 1, "one": 1, "single": 1, "lone": 1, "two": 2, "three": 3, "four": 4,
    "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10, "2": 2, "3": 3, "4": 4,
    "5": 5, "both": 2, "another": 1, "the": 0, "his": 0, "her": 0, "its": 0, "their": 0, "this": 0,
}  # fmt: skip
VAGUE = word_set("several many some few group crowd bunch lots various multiple numerous all")
UNREAL = word_set("toy stuffed fake painted no without cartoon inflatable imaginary plastic unseen")
HUMAN_HINTS = word_set("""someone somebody he she him himself herself owner hand hands people's man's woman's boy's
    girl's person's child's wearing wears driver rider team crowd audience everyone men's women's
    silhouette figure figures they who face arms finger fingers lap""")
