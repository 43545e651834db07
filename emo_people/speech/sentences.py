"""Varied English sentences from word lists; held-out sentences share no content word with training ones."""

import re

import numpy as np

_TRAINING_TEMPLATES = (
    "the {adjective} {noun} {past} the {adjective} {noun} {place}",
    "{name} {past} a {noun} and {past} the {adjective} {noun}",
    "{opening}, {name} and {name} will {verb} the {noun} {time}",
    "why did the {noun} {verb} my {adjective} {noun} {place}?",
    "please {verb} the {noun} before we {verb} the {noun} {time}",
    "{name} never {past} such a {adjective} {noun}, but she {past} the {noun}",
    "I {past} {number} {adjective} {plural} {place} {time}",
    "{number} {plural} and {number} {plural} {past} the {noun}",
    "do you {verb} the {plural} {time}, or does {name} {verb} them?",
    "when the {noun} is {adjective}, we {verb} the {plural} {place}",
    "{opening}, our {adjective} {noun} was {adjective} and {adjective}",
    "{name} said that the {noun} {past} {number} {plural} {time}",
    "oh {name}, you {past} my {noun} {adverb}!",
    "they {adverb} {past} the {plural} while {name} {past} a {noun}",
)
_HELD_OUT_TEMPLATES = (
    "a {adjective} {noun} {adverb} {past} {number} {plural} {place}",
    "{opening} the {noun} {past} our {noun}, so {name} {past} it {time}",
    "{name}, can you {verb} this {adjective} {noun} {place}?",
    "{time} {name} {past} her {adjective} {noun} and {number} {plural}",
    "if {plural} are {adjective}, then {name} should {verb} the {noun}",
    "nobody {past} those {plural} because the {noun} was {adjective}",
)
_TRAINING_WORDS = {
    "adjective": """quick brown lazy purple happy golden quiet broken clever tiny huge bitter smooth young
        foolish warm empty shiny rough gentle wooden yellow famous hollow curious proud usual narrow thirsty
        beautiful royal cheap fresh awful velvet poor wide loud soft blue modern""",
    "noun": """fox garden bottle mountain baby window piano measure voyage chapel judge mirror pillow thumb
        father bird shoe treasure bridge cloud fever orange puppet movie zebra feather oyster wolf bishop
        jacket table boat camera village mother engine church button potato valley house moon theatre king
        bubble problem apple beach dragon lawyer wagon yacht hammer road ship toy""",
    "plural": """boxes apples maps puppies books waves mushrooms pebbles voices fathers bees potatoes judges
        thieves oranges villages shoes movies bubbles boats photographs jewels pages teeth coins cows toys
        peaches bombs vowels mice lemons""",
    "past": """jumped painted measured bought followed washed pushed borrowed watched loved moved hid chose
        heard bumped opened offered shook threw caught forgot brought imagined enjoyed believed grabbed fixed
        mopped carved lost""",
    "verb": """paint measure buy follow wash push borrow watch love move hide choose hear open offer shake
        throw catch forget bring imagine enjoy grab fix keep serve wrap""",
    "name": """Bob Maria Peter Amy Victor Joyce Thomas Wanda Philip Abby Hugo Beth Sophie Jack Omar Chloe""",
    "adverb": """quickly softly boldly happily perfectly slowly rarely truly warmly oddly never always""",
    "number": """two three five seven eight eleven twenty many few both several""",
}
_HELD_OUT_WORDS = {
    "adjective": """silver cold heavy bright angry noisy dusty polite humble fuzzy rapid mellow sharp wise
        ancient joyful plain vague thick damp""",
    "noun": """river spoon castle teacher blanket ladder rabbit picture sofa barber mushroom vase chimney cup
        lion pepper violin jungle shoulder farmer bowl wave thunder guitar""",
    "plural": """babies spoons chairs windows rivers matches foxes pumpkins wheels monkeys gloves horses plums
        islands bells thumbs""",
    "past": """cooked pulled visited covered noticed wrote found saved stopped mended praised spoiled counted
        shared changed wove""",
    "verb": """cook pull visit cover notice write find save stop mend praise count share change""",
    "name": """Emma Walter Judy Paul Bethany Martin Zoe Felix Gavin Moira""",
    "adverb": """calmly bravely smoothly hardly often barely gladly""",
    "number": """four six nine twelve forty some""",
}
_TRAINING_PHRASES = {
    "place": "near the harbour|behind the old barn|under the maple tree|on the ferry|at the museum|"
    "above the shop|beside the pool|in the foggy park|between the walls|over the hill",
    "time": "before breakfast|every Monday|in the evening|this month|after the show|at half past five|"
    "for a while|all day long|on Thursday|just now",
    "opening": "of course|my friend|by the way|believe me|well|perhaps|above all|to be fair",
}
_HELD_OUT_PHRASES = {
    "place": "around the corner|by the lake|through the forest|inside the kitchen|across the square",
    "time": "last winter|tomorrow morning|once a year|at noon|on Friday|yesterday",
    "opening": "sadly|however|in fact|luckily",
}
_SLOT = re.compile(r"{(\w+)}")
_ARTICLE_BEFORE_VOWEL = re.compile(r"\b([Aa]) (?=[aeiou](?!ni|se|su))")


def sentence(seed: int, held_out: bool = False) -> str:
    """A sentence of about 6 to 14 words; `held_out` ones come from other templates and other words."""
    rng = np.random.default_rng([seed, held_out])
    templates = _HELD_OUT_TEMPLATES if held_out else _TRAINING_TEMPLATES
    words = _HELD_OUT_WORDS if held_out else _TRAINING_WORDS
    phrases = _HELD_OUT_PHRASES if held_out else _TRAINING_PHRASES
    choices = {slot: text.split() for slot, text in words.items()}
    choices |= {slot: text.split("|") for slot, text in phrases.items()}
    template = templates[rng.integers(len(templates))]
    text = _SLOT.sub(lambda slot: choices[slot[1]][rng.integers(len(choices[slot[1]]))], template)
    text = _ARTICLE_BEFORE_VOWEL.sub(r"\1n ", text)
    return text[0].upper() + text[1:] + ("" if text[-1] in "?!" else ".")
