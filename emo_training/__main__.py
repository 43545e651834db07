"""`python -m emo_training`: see `emo_training.cli`."""

import sys

from .cli import main

sys.exit(main())
