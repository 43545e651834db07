"""EMOConversation."""

from typing import Any

from comfy_api.latest import io

from ..emo_modules.media.audio import Audio
from ..emo_modules.media.conversation import (
    PAUSE,
    Conversation,
    at_once,
    by_turns,
    head_speeds,
    in_turn,
    read_turns,
)
from .managed.audio import first_sound, on_wire
from .managed.notices import show_on
from .schema import CATEGORY, follows_schema, supported_keywords

IN_TURN, AT_ONCE, TURNS = "in turn", "at once", "turns of one sound"
LONGEST_PAUSE = 60.0  # seconds
FPS, SPEAKING = 25.0, 12.0  # of the models that have speed layers; degrees per second


@follows_schema
class EMOConversation(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="EMOConversation",
            display_name="EMO Conversation",
            category=CATEGORY,
            description="What several people in one picture say: a sound for each of them, silent while the "
            "others speak, and the sound of all. The speakers are in the order of the faces in EMO Face "
            "Region.",
            inputs=_inputs(),
            outputs=[
                io.Audio.Output(
                    "VOICES",
                    display_name="voices",
                    is_output_list=True,
                    tooltip="One sound for each speaker. To EMO Sampler, which renders one video for each.",
                ),
                io.Audio.Output(
                    "AUDIO", display_name="audio", tooltip="All of them. To EMO Frames to Video."
                ),
                io.Float.Output(
                    "SPEED",
                    display_name="speed",
                    is_output_list=True,
                    tooltip="To EMO Sampler: heads turn with 12 degrees per second while they speak, with 4 "
                    "while they listen.",
                ),
            ],
            hidden=[io.Hidden.unique_id],
            **supported_keywords(io.Schema, search_aliases=["emo", "dialogue", "two people", "podcast"]),
        )

    @classmethod
    def execute(
        cls, audio_1: dict[str, Any], order: str, pause: float, turns: str, **others: dict[str, Any]
    ) -> io.NodeOutput:
        with show_on(cls.hidden.unique_id) as log:
            given = [audio_1, *(others[name] for name in sorted(others))]
            talk = _arranged([first_sound(audio, log) for audio in given], order, pause, turns)
        voices = [on_wire(voice) for voice in talk.voices]
        speeds = [list(head_speeds(voice, FPS, SPEAKING)) for voice in talk.voices]
        return io.NodeOutput(voices, on_wire(talk.mixed), speeds)


def _arranged(sounds: list[Audio], order: str, pause: float, turns: str) -> Conversation:
    if order == IN_TURN:
        return in_turn(sounds, pause)
    if order == AT_ONCE:
        return at_once(sounds)
    if len(sounds) > 1:
        raise ValueError(
            f"{len(sounds)} sounds are connected, but the turns say who speaks in one: take the others "
            f"away, or choose {IN_TURN} or {AT_ONCE}"
        )
    return by_turns(sounds[0], read_turns(turns))


def _inputs() -> list[io.Input]:
    return [
        io.Audio.Input("audio_1", tooltip="What the first face says; or, for turns, the sound of all."),
        io.Combo.Input(
            "order",
            options=[IN_TURN, AT_ONCE, TURNS],
            default=IN_TURN,
            tooltip="in turn: one after the other. at once: all begin together, as in a duet or where each "
            "has a microphone. turns of one sound: audio_1 holds all of them, turns says who speaks when.",
        ),
        io.Float.Input(
            "pause",
            default=PAUSE,
            min=-LONGEST_PAUSE,
            max=LONGEST_PAUSE,
            step=0.1,
            tooltip="For in turn: seconds between two speakers; below 0 the next one cuts in.",
        ),
        io.String.Input(
            "turns",
            default="",
            multiline=True,
            tooltip="For turns of one sound: a line for each turn with speaker, beginning and end in "
            'seconds, such as "1 0 3.2".',
        ),
        io.Audio.Input("audio_2", optional=True, tooltip="What face 2 says."),
        io.Audio.Input("audio_3", optional=True, tooltip="What face 3 says."),
        io.Audio.Input("audio_4", optional=True, tooltip="What face 4 says."),
    ]
