"""EMOHeadSpeed."""

from typing import Any

import torch
from comfy_api.latest import io

from ..emo_modules.media.audio import Audio
from .managed.audio import first_sound
from .managed.curve import at_frames, parse_curve
from .managed.notices import show_on
from .schema import CATEGORY, follows_schema, supported_keywords

MODES = {"calm": 4.0, "normal": 12.0, "active": 25.0}
MAX_SPEED = 60.0
PEAKS = 600


@follows_schema
class EMOHeadSpeed(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="EMOHeadSpeed",
            display_name="EMO Head Speed",
            category=CATEGORY,
            description="How fast the head turns, in degrees per second: one value, or a curve over time.",
            inputs=[
                io.Combo.Input(
                    "mode",
                    options=[*MODES, "constant", "curve"],
                    default="normal",
                    tooltip="calm 4, normal 12, active 25 degrees per second; constant takes speed, curve "
                    "takes curve.",
                ),
                io.Float.Input(
                    "speed",
                    default=12.0,
                    min=0.0,
                    max=MAX_SPEED,
                    step=0.5,
                    tooltip="For constant: degrees per second.",
                ),
                io.String.Input(
                    "curve",
                    default="",
                    tooltip='For curve: "seconds:speed" points, such as 0:4, 2.5:20. Straight between them, '
                    "held at the ends. Drawn over the sound below. The model takes the speeds of a clip "
                    "(0.5 s) together, so faster changes than that are lost.",
                ),
                io.Float.Input(
                    "fps",
                    default=25.0,
                    min=1.0,
                    max=120.0,
                    step=0.01,
                    tooltip="Frames per second of the model: 25.",
                ),
                io.Audio.Input(
                    "audio", optional=True, tooltip="The same as to the sampler, to draw the curve over it."
                ),
            ],
            outputs=[
                io.Float.Output(
                    "SPEED", display_name="speed", tooltip="To EMO Sampler: one value for each frame."
                )
            ],
            hidden=[io.Hidden.unique_id],
            **supported_keywords(io.Schema, search_aliases=["emo", "head motion"]),
        )

    @classmethod
    def execute(
        cls, mode: str, speed: float, curve: str, fps: float, audio: dict[str, Any] | None = None
    ) -> io.NodeOutput:
        with show_on(cls.hidden.unique_id) as log:
            sound = None if audio is None else first_sound(audio, log)
        values = [speed if mode == "constant" else MODES.get(mode, 0.0)]
        if mode == "curve":
            points = parse_curve(curve, MAX_SPEED)
            values = at_frames(points, sound.frame_count(fps) if sound else int(points[-1][0] * fps) + 1, fps)
        shown = {} if sound is None else _waveform(sound)
        return io.NodeOutput(values if mode == "curve" else values[0], ui=shown)


def _waveform(audio: Audio) -> dict[str, list[float]]:
    """What the page draws: the loudest sample of each of up to 600 equal parts, and the seconds."""
    samples = audio.waveform.shape[1]
    parts = audio.waveform.tensor_split(min(PEAKS, samples), dim=1)
    peaks = torch.stack([torch.stack(part.aminmax()).abs().amax() for part in parts])
    return {
        "emo_waveform": torch.round(peaks, decimals=3).clamp(max=1).tolist(),
        "emo_duration": [samples / audio.sample_rate],
    }
