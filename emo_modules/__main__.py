"""`python -m emo_modules`: see `emo_modules.cli`."""

import sys

from .cli import main

sys.exit(main())
