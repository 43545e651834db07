"""`marker_prepare.py FOOTAGE SHARDS`: prepares films of tests/footage/films.py in processes of its own."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from emo_training.footage import prepare  # noqa: E402
from emo_training.footage.config import PrepareConfig  # noqa: E402
from emo_training.footage.engine import Engine, prepare_footage  # noqa: E402
from tests.footage.films import MarkerAnalyzer  # noqa: E402

# Worker processes run this file too, up to the guard below.
prepare.load_analyzer = lambda spec: MarkerAnalyzer()
CONFIG = PrepareConfig(
    size=64, min_seconds=1, max_seconds=3, smallest_face=40, shard_size=60_000, test_share=0.4
)

if __name__ == "__main__":
    prepare_footage(Path(sys.argv[1]), Path(sys.argv[2]), CONFIG, Engine("local", 2))
