"""Word lists of what people and animals do, wear and where they are."""

from data.questions.words import word_set

# ``answer: forms``; the first group are precise (they beat plain movement words when both occur).
PRECISE = """
surfing: surfing surfs
skateboarding: skateboarding skateboards
snowboarding: snowboarding snowboards
skiing: skiing skis
waterskiing: waterskiing waterskis
swimming: swimming swims
kayaking: kayaking kayaks
climbing: climbing climbs
fishing: fishing
sledding: sledding sleds
dancing: dancing dances
eating: eating eats
drinking: drinking drinks
reading: reading reads
sleeping: sleeping sleeps napping
smoking: smoking smokes
singing: singing sings
painting: painting paints
digging: digging digs
wrestling: wrestling wrestles
fighting: fighting fights
kissing: kissing kisses
hugging: hugging hugs
hiking: hiking hikes
skating: skating skates
rollerblading: rollerblading rollerblades
jogging: jogging jogs
cooking: cooking cooks
diving: diving dives
crawling: crawling crawls
swinging: swinging swings
sliding: sliding slides
riding: riding rides
"""
PLAIN = """
running: running runs sprinting
jumping: jumping jumps leaping leaps
walking: walking walks strolling
sitting: sitting sits
standing: standing stands
lying down: lying lies laying lays
smiling: smiling smiles
talking: talking talks
posing: posing poses
playing: playing plays
waving: waving
laughing: laughing laughs
barking: barking barks
flying: flying flies
"""
BASE_FORMS = {
    "run": "running", "jump": "jumping", "leap": "jumping", "walk": "walking", "sit": "sitting",
    "stand": "standing", "play": "playing", "swim": "swimming", "dance": "dancing",
    "climb": "climbing", "eat": "eating", "ride": "riding", "wrestle": "wrestling",
    "fight": "fighting", "race": "running", "pose": "posing", "smile": "smiling", "talk": "talking",
    "kiss": "kissing", "hike": "hiking",
}  # fmt: skip
# What a person's name in a caption says about what they do.
DOERS = {
    "surfer": "surfing", "skateboarder": "skateboarding", "snowboarder": "snowboarding",
    "skier": "skiing", "cyclist": "", "climber": "climbing", "hiker": "hiking",
    "kayaker": "", "runner": "running", "dancer": "dancing", "skater": "skating",
}  # fmt: skip
# Doing one of a set rules the others of it out (for the "no" of "Is the dog running?").
EXCLUSIVE = {
    "running": "sleeping sitting standing swimming eating",
    "jumping": "sleeping sitting lying_down reading walking",
    "walking": "sleeping sitting lying_down swimming jumping surfing riding climbing",
    "sitting": "running jumping standing walking surfing skateboarding skiing swimming climbing",
    "standing": "running jumping sitting lying_down swimming sleeping surfing",
    "lying down": "running jumping walking standing swimming climbing",
    "sleeping": "running jumping walking swimming eating climbing dancing",
    "swimming": "running walking sitting standing climbing jumping riding skateboarding",
    "surfing": "walking sitting skateboarding snowboarding skiing running swimming riding",
    "skateboarding": "surfing snowboarding skiing sitting walking swimming climbing riding",
    "snowboarding": "surfing skateboarding skiing sitting walking swimming sledding",
    "skiing": "surfing skateboarding snowboarding sitting walking swimming sledding",
    "climbing": "sitting walking running swimming surfing riding sleeping",
    "eating": "running jumping swimming sleeping climbing surfing",
    "reading": "running jumping swimming climbing eating walking surfing",
    "riding": "walking standing swimming climbing running",
    "dancing": "sitting sleeping swimming riding climbing reading",
    "sledding": "skiing snowboarding walking standing",
    "digging": "jumping swimming running sleeping",
    "playing": "sleeping",
}
PLAYED_SPORTS = word_set(
    "soccer football basketball tennis baseball hockey volleyball rugby cricket lacrosse golf "
    "softball badminton polo"
)
DONE_SPORTS = {
    "surfing": "surfing", "skateboarding": "skateboarding", "snowboarding": "snowboarding",
    "skiing": "skiing", "surfer": "surfing", "skateboarder": "skateboarding",
    "snowboarder": "snowboarding", "skier": "skiing", "wrestling": "wrestling",
    "wrestlers": "wrestling", "boxing": "boxing", "skateboarders": "skateboarding",
    "surfers": "surfing", "skiers": "skiing", "motocross": "motocross",
}  # fmt: skip

# ``key: verb forms``; the question about the thing that follows the verb.
TAKING = {
    "hold": ("holding holds", "What is the {who} holding?"),
    "carry": ("carrying carries", "What is the {who} carrying?"),
    "ride": ("riding rides", "What is the {who} riding?"),
    "throw": ("throwing throws", "What is the {who} throwing?"),
    "kick": ("kicking kicks", "What is the {who} kicking?"),
    "catch": ("catching catches", "What is the {who} catching?"),
    "chase": ("chasing chases", "What is the {who} chasing?"),
    "play": ("playing plays", "What is the {who} playing?"),
    "eat": ("eating eats", "What is the {who} eating?"),
    "drink": ("drinking drinks", "What is the {who} drinking?"),
    "push": ("pushing pushes", "What is the {who} pushing?"),
    "pull": ("pulling pulls", "What is the {who} pulling?"),
    "climb": ("climbing climbs", "What is the {who} climbing?"),
    "read": ("reading reads", "What is the {who} reading?"),
    "fetch": ("fetching fetches retrieving", "What is the {who} fetching?"),
}
LEADING = {
    ("sitting sits seated", "on in"): "What is the {who} sitting on?",
    ("standing stands", "on"): "What is the {who} standing on?",
    ("lying lies laying lays sleeping sleeps", "on"): "What is the {who} lying on?",
    ("jumping jumps leaping leaps", "over"): "What is the {who} jumping over?",
    ("jumping jumps leaping leaps diving", "into"): "What is the {who} jumping into?",
    ("running runs walking walks", "through"): "What is the {who} {verb} through?",
    ("walking walks running runs", "on along down"): "What is the {who} {verb} on?",
    ("playing plays", "with"): "What is the {who} playing with?",
    ("jumping jumps leaping leaps", "on"): "What is the {who} jumping on?",
    ("leaning leans", "against on"): "What is the {who} leaning against?",
    ("swimming swims", "in"): "What is the {who} swimming in?",
}

INDOORS = word_set(
    """indoors indoor room kitchen bedroom bathroom bathtub couch sofa restaurant gym carpet rug
    classroom hallway office living carpeted bed stove fireplace museum library bowling subway
    television cafeteria supermarket"""
)
OUTDOORS = word_set(
    """outdoors outdoor outside grass grassy beach snow snowy street road mountain mountains hill
    hillside ocean sea lake river woods forest field trail path desert park yard backyard lawn
    sand sandy cliff sidewalk sky waves wave surfing surfer snowboarder skier dirt trees tree
    playground meadow shore mountainside pond creek stream parade stadium"""
)
NIGHT = word_set("night nighttime night-time")
SUN = word_set("sunny sunlight sunshine")

# Words that make a thing likely though it is not named: it is then never said to be absent.
IMPLIED = """
tennis: racket, ball, net, court; racing: helmet; football: ball, helmet, field; soccer: ball,
field; baseball: ball, bat, glove, helmet, hat; softball: ball, bat, glove, helmet; golf: ball;
basketball: ball, hoop, gym; volleyball: ball, net; rugby: ball; cricket: ball, bat; polo:
horse; hockey: ice, ice rink, skate, helmet, hockey stick; fetch: ball, stick, frisbee, toy;
surfer surfers surfing surfs: surfboard, wave, ocean, water, wetsuit; skateboarder skateboarders
skateboarding skateboards skater ollie: skateboard, ramp, rail; snowboarder snowboarders
snowboarding snowboards: snowboard, snow, goggles, helmet, mountain, hill; skier skiers skiing
skis ski: ski, snow, goggles, helmet, mountain, hill; cyclist cyclists biker bikers bicyclist
bicyclists biking cycling bmx: bike, helmet; motocross motorcyclist motorcyclists dirtbike
motorcross: motorcycle, bike, helmet, mud; kayaker kayaking rafting rafters canoeing rowing
paddling boating sailing rapids: boat, river, water, helmet, lake; swimming swims swim swimmer
diving wading splashing splash bathing: water, pool, swimsuit; waterskiing wakeboarding
wakeboarder: water, boat, rope; waterski: water, boat; snowy snow-covered snowing sledding:
snow, sled; rocky: rock, mountain; grassy: grass, field; sandy: sand, beach; wooded: forest,
tree; muddy: mud; jockey jockeys horseback: horse; driver driving drives: car; guitarist:
guitar; drummer: drum; smoking smokes: cigarette; fishing: fish, boat, water; photographer
photograph photographs photographing: camera; singing sings singer concert: microphone, stage,
guitar; band: guitar, drum, microphone, stage; climber climbers climbing climbs hiker hikers
hiking: rope, rock, mountain, cliff, helmet, backpack, hill; rodeo: horse, cow, hat; cowboy:
hat, horse; skating skates: skate, ice; reading reads: book, newspaper; eating eats eat meal
dinner lunch: food, plate, table, fork; drinking drinks bar: cup, bottle, beer; sitting sits sit
seated: chair, bench, couch; sleeping sleeps: bed, pillow, blanket; bride groom wedding: dress,
suit, flower, tie; kitchen restaurant cafe: table, chair, plate, cup, bowl, food; room indoors:
chair, table, window; leashed walked: leash; parade: flag; clown: costume; trampoline: net;
seaside coast surf: ocean, water, beach; tide: ocean, beach; pier: water, ocean; agility:
hurdle; hurdles obstacles: hurdle; shopping groceries market: bag; city urban downtown: street,
building, car; traffic: car, street; alley: street, building; parking: car, street; foggy forest
jungle: tree; mountainous: mountain; paddles oars: boat; lifeguard: beach, pool; ballet: dress;
santa: hat, costume; army: hat, helmet
"""

# Two places that cannot both be where a picture was taken.
PLACE_CLASHES = {
    "beach": "snow forest kitchen street pool restaurant gym desert playground stage",
    "snow": "beach pool ocean desert playground gym restaurant kitchen",
    "street": "beach ocean pool forest snow lake river desert kitchen gym",
    "pool": "snow street forest desert beach ocean field restaurant",
    "ocean": "snow street forest pool field desert playground kitchen restaurant",
    "forest": "ocean beach pool street kitchen gym restaurant stage",
    "field": "ocean pool street snow kitchen restaurant beach gym stage",
    "river": "snow street kitchen gym restaurant desert playground",
    "lake": "street snow kitchen gym restaurant desert playground",
    "playground": "ocean beach snow kitchen restaurant forest",
    "restaurant": "ocean beach snow forest field street",
    "kitchen": "ocean beach snow forest field street",
    "water": "snow street desert kitchen restaurant gym field",
    "grass": "ocean pool snow kitchen restaurant gym beach street",
}
WEARING_CLASHES = {
    "hat": "helmet",
    "helmet": "hat",
    "dress": "pants jeans shorts trunks suit",
    "jeans": "dress skirt shorts trunks swimsuit",
    "shorts": "jeans dress pants suit",
    "jacket": "swimsuit trunks",
    "swimsuit": "jacket jeans suit sweater",
    "suit": "shorts jeans jersey swimsuit trunks dress",
    "glasses": "goggles",
    "pants": "shorts dress skirt trunks",
}
# The things that some deeds can be done to, where a word list is short.
FITTING = {
    "eat": word_set("food cake apple banana sandwich pizza grass bone fish") | {"ice cream"},
    "drink": word_set("beer water drink"),
    "read": word_set("book newspaper paper sign"),
    "climb": word_set("rock cliff wall tree mountain hill stairs ladder fence rope log"),
    "play": word_set("guitar drum violin piano trumpet frisbee"),
}
