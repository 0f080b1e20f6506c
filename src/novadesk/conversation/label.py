"""Readable names for conversations, like "caring-king-275". Only labels: nothing is found by them."""

import secrets

_ADJECTIVES = (
    "amber bright brisk calm candid caring cheerful clear clever cosy curious daring deft eager early fair "
    "faithful fine fleet fond frank fresh friendly gentle glad golden good graceful grand green happy hardy "
    "honest humble jolly keen kind lively lucky merry mild modest neat nimble noble patient plain plucky polite "
    "proud quick quiet rapid ready robust rosy silver simple smart snug solid sound spry steady still sunny "
    "swift tender tidy trim true upbeat vivid warm wise witty young zesty"
).split()
_NOUNS = (
    "acorn alder anchor apple arrow aspen badger beacon beech birch bison brook canyon cedar cliff clover comet "
    "coral crane creek daisy dolphin dune eagle ember falcon fern finch fjord forest fox garden glacier grove "
    "harbor hawk hazel heron hill island ivy jasper juniper kestrel king lagoon lake lantern larch lark laurel "
    "lily linden lynx maple marten meadow mesa moon oak ocean orchard osprey otter owl pebble pine planet plum "
    "poplar puffin quail queen raven reef ridge river robin rowan sage salmon sparrow spruce star stone summit "
    "swan thistle tiger tulip valley walnut willow wren"
).split()


def make_label() -> str:
    """Return a new label: adjective, noun, and a number from 100 to 999."""
    return f"{secrets.choice(_ADJECTIVES)}-{secrets.choice(_NOUNS)}-{100 + secrets.randbelow(900)}"
