"""Who is for what: a seed stands for a person and a sentence, and no two uses below share one.

The first 1 000 000 are trained on by the built-in model, whose sentences and words no later seed has.
"""

HELD_OUT = 1_000_000  # from here on nobody is trained on by the model
MOUTHS = 3_000_000  # from here on: for the network that hears whether lips are in sync
CHECK_MOUTHS = 3_500_000
PEOPLE = 5_000_000  # to judge the built-in model by
