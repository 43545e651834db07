"""Films of a case as a user makes them: picture and sound as files go in, an MP4 comes out and is read."""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from emo_modules.film import write_video
from emo_modules.media.audio import load_audio
from emo_modules.media.image import load_image, to_bytes
from emo_modules.options import Options
from emo_modules.pipeline import Pipeline
from emo_modules.prepared import Prepared
from emo_training.evaluation.metrics import running_mean
from emo_training.evaluation.pairs import Video
from emo_training.perception.face_track import FaceTrack
from emo_training.perception.faces import PeopleAnalyzer
from emo_training.perception.pose import head_speed
from emo_training.training.stages import part_of

from ..filming.people_cases import CaseFiles
from ..filming.speakers import FPS

SMOOTHED = 3  # frames, 0.12 s

# Case, video to write, head speed in degrees per second, of each frame or of all -> how the portrait was
# prepared. Nothing of the truth is handed over, the face's box neither.
Speed = float | tuple[float, ...]
Animate = Callable[[CaseFiles, Path, Speed], Prepared]


@dataclass(frozen=True, eq=False)
class Seen:
    """A film as it was read; curves (F,) hold what they last were where no face was found."""

    frames: np.ndarray  # (F, H, W, 3) uint8
    track: FaceTrack

    @classmethod
    def of(cls, frames: np.ndarray, analyzer: PeopleAnalyzer) -> "Seen":
        return cls(frames, analyzer.analyze(frames))

    @property
    def faces(self) -> float:
        """Share of the frames in which there is exactly one face."""
        return float((self.track.counts == 1).mean())

    @property
    def opening(self) -> np.ndarray:
        return self._curve(0)

    @property
    def width(self) -> np.ndarray:
        return self._curve(1)

    @property
    def eyes(self) -> np.ndarray:
        return (self._curve(2) + self._curve(3)) / 2

    @property
    def speed(self) -> float:
        """Mean head speed in degrees per second."""
        return float(self.speeds.mean())

    @property
    def speeds(self) -> np.ndarray:
        """Head speed (F,) in degrees per second, of poses smoothed against the reader's noise."""
        yaw, pitch, roll = (running_mean(filled(angle), SMOOTHED) for angle in self.track.rotations.T)
        return head_speed(yaw, pitch, roll, FPS)

    def _curve(self, column: int) -> np.ndarray:
        assert self.track.openings is not None  # this analyser always has them
        return filled(self.track.openings[:, column])


def filled(curve: np.ndarray) -> np.ndarray:
    """A curve (F,) with its gaps (NaN) bridged; 0 where nothing of it is known."""
    known = np.isfinite(curve)
    if not known.any():
        return np.zeros(len(curve))
    places = np.arange(len(curve))
    return np.interp(places, places[known], curve[known].astype(float))


def animate_with(pipeline: Pipeline, options: Options) -> Animate:
    """What `animate PORTRAIT AUDIO -o FILM --seed CASE` does: with one seed for all cases, every head would
    turn and blink in the same way."""

    def animate(case: CaseFiles, film: Path, speed: Speed) -> Prepared:
        asked = {"speed_curve": speed} if isinstance(speed, tuple) else {"head_speed": speed}
        chosen = Options(**{**vars(options), **asked, "seed": int(case.folder.name)})
        film.parent.mkdir(parents=True, exist_ok=True)
        animation = pipeline.animate(load_image(case.portrait), load_audio(case.speech), chosen)
        write_video(animation, film, keep=1)
        return animation.prepared

    return animate


def without_speed_layers(pipeline: Pipeline) -> Pipeline:
    """The same, but that its speed layers say nothing."""
    pipeline = copy.deepcopy(pipeline)
    for name, parameter in pipeline.conditioner.denoiser.named_parameters():
        if part_of(name) == "speed":
            parameter.data.zero_()
    return pipeline


def film_case(
    animate: Animate, analyzer: PeopleAnalyzer, case: CaseFiles, film: Path, speed: Speed
) -> tuple[Prepared, Seen]:
    prepared = animate(case, film, speed)
    return prepared, Seen.of(np.stack(list(Video(film).frames())), analyzer)


def picture_of(prepared: Prepared) -> np.ndarray:
    """The crop (H, W, 3) uint8 that the model saw."""
    return to_bytes(prepared.picture.movedim(0, -1)).numpy()
