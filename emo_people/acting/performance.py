"""What a speaker's face, eyes and head do while saying a sentence: curves per video frame."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from emo_training.perception.pose import head_speed as speed_of

from ..speech.synthesis import Speech
from . import eyes, head
from .face import ACTIONS, INDEX, Expression, Pose
from .hearing import LOOK_AHEAD, RATE, loudness
from .mouth import OPENING, speak

FASTEST = 45.0  # degrees per second
LEAN = np.array([0.0022, 0.0012])  # widths of the face by which it shifts for each degree of yaw and of pitch

_BROWS = {"browInnerUp": 0.5, "browOuterUpLeft": 0.4, "browOuterUpRight": 0.4}
_FROWN = {"browDownLeft": 0.2, "browDownRight": 0.2}
_BLINK = [INDEX["eyeBlinkLeft"], INDEX["eyeBlinkRight"]]
_WIDE = [INDEX[name] for name in ACTIONS if name.startswith(("mouthSmile", "mouthDimple", "mouthStretch"))]


@dataclass(frozen=True)
class Performance:
    """Curves of F frames, float32: actions (F, 52) 0..1; gaze (F, 2), yaw, pitch, roll (F,) in degrees;
    x, y (F,) in widths of the face; speed (F,) in degrees per second."""

    fps: float
    actions: np.ndarray
    gaze: np.ndarray
    yaw: np.ndarray
    pitch: np.ndarray
    roll: np.ndarray
    x: np.ndarray
    y: np.ndarray
    speed: np.ndarray

    def pose(self, k: int) -> Pose:
        """Of frame k."""
        yaw, pitch, roll, x, y = (float(c[k]) for c in (self.yaw, self.pitch, self.roll, self.x, self.y))
        return Pose(yaw, pitch, roll, x, y)

    def expression(self, k: int) -> Expression:
        """Of frame k."""
        across, down = self.gaze[k].tolist()
        return Expression(self.actions[k], (across, down))


def perform(
    speech: Speech,
    frames: int,
    fps: float,
    head_speed: float,
    start: Pose,
    dice: int,
    mood: Expression | None = None,
    blink_times: Iterable[float] | None = None,
) -> Performance:
    """Acts `speech` for `frames` frames, from the pose of the portrait; each frame shows its middle.

    What happens at a moment follows from the sound up to `hearing.LOOK_AHEAD` after it, from what happened
    before and from the portrait: its pose `start` and its face `mood`, which lasts (what parts the lips in it
    does not: the mouth is shut in silence) and whose gaze is held. The seed `dice` decides a twentieth of the
    motion's variance. head_speed is the mean to be reached, 0 to 45 degrees per second; equal dice give the
    same motion, smaller or larger, at every speed. Blinks begin at `blink_times`, in seconds; without them,
    where the sound has some (`eyes.blink_times`). Raises ValueError for no frames and for other speeds.
    """
    if frames < 1 or not 0 <= head_speed <= FASTEST:
        raise ValueError(f"need 1 frame or more and a speed in 0..45, got {frames} frames and {head_speed}")
    mood = mood or Expression.of()
    times = (np.arange(frames) + 0.5) / fps
    turned = _turned(speech, times, head_speed, dice)
    first = np.array([start.yaw, start.pitch, start.roll])
    yaw, pitch, roll = (first + turned).T
    actions = with_mood(speak(speech, times, fps), mood)
    actions += brows(speech, times)
    moments = eyes.blink_times(speech, float(times[-1])) if blink_times is None else blink_times
    actions[:, _BLINK] = np.maximum(actions[:, _BLINK], eyes.blinks(moments, times)[:, None])
    curves = {
        "actions": actions.clip(0, 1),
        "gaze": eyes.gaze(speech, times, turned, mood.gaze),
        "yaw": yaw,
        "pitch": pitch,
        "roll": roll,
        "x": start.x + LEAN[0] * turned[:, 0],
        "y": start.y + LEAN[1] * turned[:, 1],
        "speed": speed_of(yaw, pitch, roll, fps),
    }
    return Performance(fps=fps, **{name: curve.astype(np.float32) for name, curve in curves.items()})


def _turned(speech: Speech, times: np.ndarray, speed: float, dice: int) -> np.ndarray:
    """Yaw, pitch, roll (F, 3) from the portrait's pose, in degrees."""
    grid = head.turn(speech, int(times[-1] * RATE) + 2, speed, np.random.default_rng(dice))
    places = np.arange(len(grid))
    return np.stack([np.interp(times * RATE, places, curve) for curve in grid.T], 1)


def with_mood(actions: np.ndarray, mood: Expression) -> np.ndarray:
    """Adds to speech (F, 52) the face that lasts, of which rounded lips leave less of the corners' part."""
    lasting = np.tile(mood.actions.astype(np.float64), (len(actions), 1))
    lasting[:, list(OPENING)] = 0
    lasting[:, INDEX["mouthClose"]] = 0
    round_lips = actions[:, INDEX["mouthPucker"]] + 0.5 * actions[:, INDEX["mouthFunnel"]]
    lasting[:, _WIDE] *= 1 - 0.8 * round_lips.clip(0, 1)[:, None]
    return actions + lasting


def brows(speech: Speech, times: np.ndarray) -> np.ndarray:
    """Actions (F, 52): brows rise with what is said louder than what came before, and sink a little after."""
    ahead = round((LOOK_AHEAD - 0.03) * RATE)
    heard = loudness(speech, int(times[-1] * RATE) + 2 + ahead)
    accent = np.tanh(4 * head.band(heard**head.STRESS, 1.75)[ahead:])
    accent *= head.begin(len(accent))
    at_frames = np.interp(times * RATE, np.arange(len(accent)), accent)
    actions = np.zeros((len(times), len(ACTIONS)))
    for name, size in _BROWS.items():
        actions[:, INDEX[name]] = size * np.maximum(at_frames, 0)
    for name, size in _FROWN.items():
        actions[:, INDEX[name]] = size * np.maximum(-at_frames, 0)
    return actions
