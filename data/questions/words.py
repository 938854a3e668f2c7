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
player: athlete, quarterback, goalie, pitcher, batter, teammate, opponent, catcher > person ! p \
n
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
dog: puppy, pup, greyhound, poodle, retriever, golden retriever, labrador, collie, border \
collie, german shepherd, terrier, bulldog, pitbull, pit bull, doberman, dalmatian, husky, \
beagle, boxer dog, hound, chihuahua, rottweiler, corgi, spaniel, pug, dachshund, sheepdog, mutt, \
canine, doggy, german shepard, german shephard, dalmation, dachsund, jack russell, lab > animal \
! a
cat: kitten, kitty > animal ! a
horse: pony, colt, mare > animal ! a
cow: bull, calf, cattle, steer > animal ! a
sheep: lamb > animal ! a
goat: > animal ! a
bird: pigeon, duck, goose, swan, seagull, gull, eagle, parrot, owl, chicken, hen, rooster, \
ostrich, flamingo, hawk, falcon, crane bird, heron, pelican, turkey > animal ! a
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
snowmobile: snow machine, snow mobile > ! v
jet ski: jetski > ! v
tricycle: > ! v
atv: quad, four wheeler, four-wheeler > ! v
scooter: > ! v
unicycle: > ! v
tractor: > ! v
wheelchair: > ! v
stroller: > ! v
wagon: cart, carriage > ! v
sled: sleigh, toboggan > ! v
ball: soccer ball, football ball, tennis ball, basketball ball, beach ball, volleyball ball, \
rugby ball, baseball ball, golf ball, bouncy ball, cricket ball > !
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
street: road, city street, sidewalk, highway, dirt road > ! b s
trail: path, dirt path > ! n s
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
