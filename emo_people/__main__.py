"""`python -m emo_people`: see `emo_people.cli`."""

import sys

from .cli import main

sys.exit(main())
