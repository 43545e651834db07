"""Who is for what: a seed stands for a person and a sentence, and no two uses below share one.

The first 1 000 000 are trained on by the built-in model, whose sentences and words no later seed has.
"""

HELD_OUT = 1_000_000  # from here on nobody is trained on by the model; `avatar` counts from here
CHECK_SYNCNET = HELD_OUT + 8_000
EVALUATION = HELD_OUT + 50_000
CHECK_TRACKER = HELD_OUT + 62_000
READER = 2_000_000  # from here on: for the networks that measure, alone
CHECK_READER = READER + 500_000
TRACKER = READER + 700_000
SYNCNET = READER + 1_000_000
PEOPLE = 5_000_000  # rendered people to judge the built-in model by
