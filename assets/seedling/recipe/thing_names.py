"""The everyday things that can be named, each with its Unicode code points and the names that icon sets have for it.

One line is one thing: its name, the code points whose emoji show it, and further icon names besides its own. A mark before
the name says how it is spoken of: `*` many ("They are scissors."), `~` without an article ("It is bread."), `!` the only
one ("It is the sun."). An icon name in brackets is the thing's own name, where that means something else in icon sets.
"""

LINES = """
dog | 1f415 1f436 | dog-face dog-side dog-head
cat | 1f408 1f431 | cat-face cat-sitting
mouse | 1f401 1f42d | (mouse) rat mouse-animal
rabbit | 1f407 1f430 | hare rabbit-head
bear | 1f43b | bear-face bear-head
panda | 1f43c | panda-face
pig | 1f416 1f437 | pig-face
cow | 1f404 1f42e | cow-head
horse | 1f40e 1f434 | horse-head
monkey | 1f412 1f435 | monkey-face
chicken | 1f414 1f413 | rooster
duck | 1f986 | duck-head
owl | 1f989 |
bird | 1f426 | sparrow
penguin | 1f427 |
parrot | 1f99c | parrot-head
frog | 1f438 | frog-face
turtle | 1f422 | tortoise sea-turtle
snake | 1f40d | sand-snake
crocodile | 1f40a | croc-jaws
fish | 1f41f 1f420 | fishes fish-1 tropical-fish
shark | 1f988 |
whale | 1f433 1f40b | sperm-whale spouting-whale
dolphin | 1f42c |
octopus | 1f419 |
crab | 1f980 |
snail | 1f40c |
butterfly | 1f98b |
bee | 1f41d | honeybee
ant | 1f41c |
ladybird | 1f41e | ladybug lady-beetle
spider | 1f577 |
elephant | 1f418 | elephant-head
giraffe | 1f992 |
zebra | 1f993 |
lion | 1f981 | lion-face
tiger | 1f405 1f42f | tiger-head
fox | 1f98a | fox-head
wolf | 1f43a | wolf-head
sheep | 1f411 1f40f |
goat | 1f410 |
camel | 1f42a 1f42b | camel-head
koala | 1f428 |
hedgehog | 1f994 |
bat | 1f987 | (bat)
squirrel | 1f43f | chipmunk
dinosaur | 1f995 1f996 | sauropod t-rex tyrannosaurus diplodocus
kangaroo | 1f998 |
swan | 1f9a2 |
deer | 1f98c | stag-head deer-head
apple | 1f34e 1f34f | (apple) food-apple apple-whole apple-one apple-fruit red-apple
banana | 1f34c |
orange | 1f34a | orange-one orange-fruit
lemon | 1f34b |
pear | 1f350 |
peach | 1f351 |
*cherries | 1f352 | cherry fruit-cherries
strawberry | 1f353 |
*grapes | 1f347 | grape fruit-grapes
watermelon | 1f349 | fruit-watermelon
pineapple | 1f34d | fruit-pineapple
coconut | 1f965 |
tomato | 1f345 |
carrot | 1f955 |
~corn | 1f33d | corn-ear
potato | 1f954 |
aubergine | 1f346 | eggplant
onion | 1f9c5 |
~broccoli | 1f966 |
mushroom | 1f344 | mushrooms
avocado | 1f951 |
~bread | 1f35e | bread-slice sliced-bread bread-loaf
croissant | 1f950 |
~cheese | 1f9c0 | cheese-wedge
egg | 1f95a |
pizza | 1f355 | pizza-slice
hamburger | 1f354 | burger
hot dog | 1f32d | hotdog food-hot-dog
*chips | 1f35f | french-fries fries
sandwich | 1f96a |
cake | 1f382 1f370 | birthday-cake cake-slice
cookie | 1f36a |
doughnut | 1f369 | donut
ice cream | 1f366 1f368 | icecream ice-cream-cone ice-cream-2
~candy | 1f36c |
lollipop | 1f36d |
~popcorn | 1f37f |
cup | 2615 | coffee mug coffee-cup mug-hot cup-hot
teapot | 1fad6 | tea-pot
~wine | 1f377 | wine-glass glass-wine
~beer | 1f37a | beer-mug beer-stein beer-mug-empty
car | 1f697 1f698 | car-side city-car
bus | 1f68c 1f68d | bus-front
truck | 1f69a 1f69b | delivery-truck truck-side
tractor | 1f69c |
bicycle | 1f6b2 | bike
motorcycle | 1f3cd | motorbike
train | 1f686 1f682 | locomotive steam-locomotive
plane | 2708 1f6e9 | airplane commercial-airplane airplane-front
helicopter | 1f681 |
rocket | 1f680 |
boat | 26f5 | sailboat sail-boat
ship | 1f6a2 1f6f3 | cruise-ship
anchor | 2693 |
scooter | 1f6f4 | kick-scooter
traffic light | 1f6a6 1f6a5 | traffic-lights traffic-cone-light traffic-lights-red
chair | 1fa91 | armchair wooden-chair
bed | 1f6cf | bed-single bed-double
sofa | 1f6cb | couch
door | 1f6aa | wooden-door
toilet | 1f6bd |
bathtub | 1f6c1 | bath bathtub-full
light bulb | 1f4a1 | lightbulb bulb
candle | 1f56f | candlelight
clock | 23f0 1f570 1f550 | alarm-clock alarm clock-face clock-hour-10
watch | 231a | wristwatch device-watch
hourglass | 231b 23f3 | sand-clock
key | 1f511 1f5dd | old-key key-round
lock | 1f512 | padlock
hammer | 1f528 | claw-hammer
wrench | 1f527 |
saw | 1fa9a | hand-saw
axe | 1fa93 | wood-axe
screwdriver | 1fa9b |
*scissors | 2702 | scissor
pencil | 270f | lead-pencil
pen | 1f58a 1f58b | fountain-pen
paintbrush | 1f58c | brush paint-brush
book | 1f4d5 1f4d6 1f4d7 1f4d8 | open-book book-open
newspaper | 1f4f0 |
envelope | 2709 | mail
telephone | 260e 1f4de | phone old-phone
mobile phone | 1f4f1 | smartphone mobile cellphone
computer | 1f4bb 1f5a5 | laptop
television | 1f4fa | tv retro-tv
camera | 1f4f7 1f4f8 | photo-camera
radio | 1f4fb | pocket-radio
printer | 1f5a8 |
battery | 1f50b | battery-full
magnet | 1f9f2 |
magnifying glass | 1f50d 1f50e | search magnify
microscope | 1f52c |
telescope | 1f52d |
*glasses | 1f453 | eyeglasses
hat | 1f3a9 1f452 | top-hat
crown | 1f451 |
shirt | 1f455 | t-shirt tshirt shirt-folded
*trousers | 1f456 | pants jeans
dress | 1f457 |
*socks | 1f9e6 |
shoe | 1f45e 1f45f | sneaker running-shoe
boot | 1f462 1f97e | boots hiking-boot
*gloves | 1f9e4 |
umbrella | 2602 2614 1f302 | closed-umbrella
handbag | 1f45c | purse
backpack | 1f392 | school-bag
ring | 1f48d | diamond-ring (ring)
gift | 1f381 | present
balloon | 1f388 | balloons ballon
ball | 26bd 1f3c0 1f3d0 | (ball) football soccer soccer-ball futbol sports-soccer basketball volleyball
kite | 1fa81 |
teddy bear | 1f9f8 | teddy
guitar | 1f3b8 | guitar-acoustic guitar-electric
piano | 1f3b9 | grand-piano
violin | 1f3bb |
trumpet | 1f3ba |
drum | 1f941 | drums
bell | 1f514 | ringing-bell
microphone | 1f3a4 1f399 | mic
*headphones | 1f3a7 | headphone
die | 1f3b2 | dice dice-5 dice-five dice-six-faces-five
trophy | 1f3c6 | trophy-cup
medal | 1f3c5 1f947 1f396 |
flag | 1f6a9 1f3f4 | (flag) triangular-flag
globe | 1f30d 1f30e 1f30f | (globe) earth earth-americas earth-africa world
broom | 1f9f9 |
bucket | 1faa3 | empty-metal-bucket
basket | 1f9fa | wicker-basket shopping-basket
box | 1f4e6 | package cardboard-box cardboard
spoon | 1f944 | tablespoon
knife | 1f52a | kitchen-knife kitchen-knives
ladder | 1fa9c |
tooth | 1f9b7 |
bone | 1f9b4 |
eye | 1f441 |
ear | 1f442 |
foot | 1f9b6 | barefoot foot-print
nose | 1f443 |
hand | 270b 1f91a | raised-hand hand-stop hand-palm
heart | 2764 1f9e1 1f49b 1f49a 1f499 1f49c | (heart) hearts heart-straight
skull | 1f480 | skull-head
robot | 1f916 |
ghost | 1f47b |
!sun | 2600 1f31e | sunny clear-day sun-bright
!moon | 1f319 1f31b | crescent-moon night clear-night
cloud | 2601 | cloudy
~lightning | 26a1 | bolt flash zap thunderbolt lightning-bolt
snowflake | 2744 |
snowman | 26c4 2603 |
rainbow | 1f308 |
~fire | 1f525 | flame campfire
drop | 1f4a7 | (drop) droplet water-drop
tree | 1f333 | (tree) tree-deciduous deciduous-tree oak beech
fir tree | 1f332 1f384 | evergreen-tree pine-tree christmas-tree tree-pine tree-evergreen
palm tree | 1f334 | tree-palm
cactus | 1f335 | saguaro
flower | 1f33c 1f33a | flower-alt daisy
rose | 1f339 |
tulip | 1f337 |
sunflower | 1f33b |
leaf | 1f343 1f341 1f342 | maple-leaf
mountain | 26f0 1f3d4 | mountains mountaintop
volcano | 1f30b |
house | 1f3e0 1f3e1 | home
castle | 1f3f0 1f3ef |
church | 26ea |
tent | 26fa | camping-tent
feather | 1fab6 |
paperclip | 1f4ce | paper-clip
""".strip().splitlines()


# What is as right as the name itself.
SAME = {"mouse": ("rat",), "rabbit": ("hare", "bunny"), "chicken": ("rooster", "cock", "hen"), "turtle": ("tortoise",),
        "crocodile": ("alligator",), "bee": ("wasp",), "ladybird": ("ladybug",), "squirrel": ("chipmunk",), "deer": ("stag",),
        "cherries": ("cherry",), "grapes": ("grape",), "aubergine": ("eggplant",), "hamburger": ("burger",),
        "chips": ("French fries", "fries"), "cookie": ("biscuit",), "doughnut": ("donut",), "candy": ("sweet",),
        "cup": ("coffee", "cup of coffee", "mug"), "wine": ("glass of wine",), "beer": ("glass of beer",), "truck": ("lorry",),
        "bicycle": ("bike",), "motorcycle": ("motorbike",), "train": ("locomotive",), "plane": ("aeroplane", "airplane"),
        "boat": ("sailing boat", "sailboat"), "sofa": ("couch",), "bathtub": ("bath",), "clock": ("alarm clock",),
        "lock": ("padlock",), "wrench": ("spanner",), "paintbrush": ("brush",), "envelope": ("letter",),
        "telephone": ("phone",), "mobile phone": ("phone", "smartphone"), "computer": ("laptop",), "television": ("TV",),
        "shirt": ("T-shirt",), "trousers": ("jeans", "pants"), "socks": ("sock",), "shoe": ("sneaker",), "gloves": ("glove",),
        "handbag": ("bag", "purse"), "gift": ("present",), "ball": ("football", "soccer ball", "basketball"), "die": ("dice",),
        "globe": ("Earth", "world"), "basket": ("shopping basket",), "box": ("package", "parcel"), "drop": ("water",),
        "fire": ("flame",), "fir tree": ("tree", "Christmas tree"), "lightning": ("bolt", "flash"), "house": ("home",)}


# Things that are a kind of each other, or that a drawing may well be taken for: none is asked about as absent where another is.
ALIKE = (
    {"tree", "fir tree", "palm tree"}, {"flower", "rose", "tulip", "sunflower"}, {"clock", "watch"}, {"boat", "ship"},
    {"telephone", "mobile phone"}, {"bear", "panda", "teddy bear", "koala"}, {"chair", "sofa"}, {"shoe", "boot"},
    {"pen", "pencil", "paintbrush"}, {"bird", "parrot", "duck", "owl", "chicken", "penguin", "swan"}, {"sheep", "goat"},
    {"computer", "television"}, {"handbag", "backpack"}, {"box", "gift"}, {"mountain", "volcano"}, {"cup", "teapot"},
    {"fish", "shark", "whale", "dolphin"}, {"bicycle", "motorcycle", "scooter"}, {"mouse", "squirrel"}, {"house", "church"},
    {"wolf", "dog", "fox"}, {"orange", "peach", "apple"}, {"bee", "ladybird"}, {"globe", "ball"}, {"hammer", "axe"},
)

# Drawings that show something else than their name says, or too little of it; found by looking at all.
NOT_THESE = {
    "icon-park": "chicken anchor phone telescope hat ring trumpet thunderbolt palm alarm sunny",
    "icon-park-solid": "chicken anchor phone telescope hat ring trumpet thunderbolt palm alarm",
    "icon-park-twotone": "chicken anchor phone telescope hat ring trumpet thunderbolt palm alarm",
    "mingcute": "chicken-fill chicken-line wine-fill wine-line telescope-2-fill telescope-2-line sun-2-fill sun-2-line "
                "leaf-2-fill leaf-2-line leaf-3-fill leaf-3-line sunflower-fill sunflower-line",
    "solar": "cup-bold cup-bold-duotone cup-linear cup-outline plane-2-bold plane-2-bold-duotone plane-2-linear "
             "plane-2-outline plane-3-bold plane-3-bold-duotone plane-3-linear plane-3-outline plane-bold "
             "plane-bold-duotone plane-linear plane-outline waterdrop-bold waterdrop-bold-duotone waterdrop-linear "
             "waterdrop-outline",
    "material-symbols": "chips chips-outline camera camera-outline footprint footprint-outline robot-2 robot-2-outline",
    "fluent": "phone-filled phone-regular ram-filled ram-regular eye-filled eye-regular", "fluent-color": "phone",
    "game-icons": "ram croc-jaws food-truck bulb", "tabler": "bike bike-filled", "lucide": "radio bolt bike",
    "ion": "bicycle bicycle-outline radio radio-outline", "streamline-ultimate-color": "scooter scooter-3",
    "mdi": "scooter hand-palm hand-palm-outline high-voltage bike box package-outline bolt radio",
    "hugeicons": "scooter-01 scooter-02 scooter-03 locked lock bolt eye bike purse", "maki": "scooter toilet soccer",
    "la": "toilet", "carbon": "anchor key package soccer radio", "pixelarticons": "radio",
    "iconoir": "hat eye eye-solid football", "healthicons": "eyeglasses eyeglasses-outline", "fxemoji": "gamedie bird",
    "meteocons": "cloudy cloudy-fill", "symbola": "231a 1f438",
}


class Name:
    """A thing's name and how one speaks of it."""

    def __init__(self, line):
        words, codes, icons = (part.strip() for part in line.split("|"))
        self.mark = words[0] if words[0] in "*~!" else ""
        self.word = words.lstrip("*~!")
        self.codes = codes.split()
        own = self.word.replace(" ", "-")
        icons = icons.split()
        self.icons = [i for i in icons if i[0] != "("] + ([] if f"({own})" in icons else [own])

    def __str__(self):
        return self.word

    def many(self):
        return self.mark == "*"

    def called(self):
        """"a dog", "an owl", "bread", "scissors", "the sun"."""
        if self.mark in ("*", "~"):
            return self.word
        if self.mark == "!":
            return "the " + self.word
        return ("an " if self.word[0] in "aeiou" or self.word == "hourglass" else "a ") + self.word


THINGS = [Name(line) for line in LINES]
NAMES = [t.word for t in THINGS]
