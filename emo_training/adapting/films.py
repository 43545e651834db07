"""What the model makes of a sentence that nothing was trained on, before and after, beside the true film."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from emo_modules.pipeline import Pipeline
from emo_modules.writing.partial import remove_partials
from emo_modules.writing.pictures import save_picture

from ..evaluation.generate import Denoising, first_frame, write_generated, write_true
from ..evaluation.instruments import Instruments
from ..evaluation.measure import Log, MeasuredPair, measure_pairs
from ..evaluation.motion import Openings
from ..evaluation.pairs import Pair, Video
from ..evaluation.side_by_side import write_side_by_side
from ..footage.shards import Sample
from ..perception.analyzers import FaceAnalyzer
from ..perception.face_identity import IdentityEmbedder

BEFORE, AFTER, TRUE = "before", "after", "true"
BESIDE = "beside"  # folder of the films beside the true one
Load = Callable[[], Pipeline]


@dataclass(frozen=True)
class Films:
    """Folder with the films of a held-out sample, whose first frame is the portrait; each is made once."""

    folder: Path
    sample: Sample

    def begin(self) -> None:
        """Writes the true film and the portrait."""
        for folder in (self.folder, self.folder / BESIDE):
            folder.mkdir(parents=True, exist_ok=True)
            remove_partials(folder)
        portrait = (first_frame(self.sample).numpy() * 255).round().astype(np.uint8)
        save_picture(self.folder / "portrait.png", Image.fromarray(portrait))
        if not self.path(TRUE).exists():
            write_true(self.sample, self.path(TRUE))

    def make(self, name: str, load: Load) -> None:
        """The film of that name, unless it is there."""
        if not self.path(name).exists():
            write_generated(self.sample, load(), Denoising(), self.path(name))
        if not (self.folder / BESIDE / f"{name}.mp4").exists():
            write_side_by_side(self.pair(name), self.folder / BESIDE)

    def path(self, name: str) -> Path:
        return self.folder / f"{name}.mp4"

    def pair(self, name: str) -> Pair:
        return Pair(name, Video(self.path(name)), Video(self.path(TRUE)))

    def measure(self, analyzer: FaceAnalyzer, embedder: IdentityEmbedder, log: Log) -> list[MeasuredPair]:
        """The films before and after."""
        tools = Instruments(analyzer, None, None, None, embedder, Openings(), {})
        return measure_pairs([self.pair(BEFORE), self.pair(AFTER)], tools, log)[0]
