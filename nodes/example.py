"""EMOExample."""

from comfy_api.latest import io

from ..emo_modules.media.audio import load_audio
from ..emo_modules.media.image import load_image
from .managed.audio import on_wire
from .managed.files import EXAMPLES
from .schema import CATEGORY, follows_schema, supported_keywords

ONE, TWO = "one person", "two people"
FILES = {ONE: ("portrait.png", "speech.wav"), TWO: ("two-people.png", "question.wav")}


@follows_schema
class EMOExample(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="EMOExample",
            display_name="EMO Example Portrait and Speech",
            category=CATEGORY,
            description="A rendered portrait and five seconds of synthetic speech that come with the pack, "
            "for a first try of the demo model; or two people, a question and an answer.",
            inputs=[
                io.Combo.Input(
                    "people",
                    options=[ONE, TWO],
                    default=ONE,
                    optional=True,
                    tooltip="two people: for EMO Conversation.",
                )
            ],
            outputs=[
                io.Image.Output("IMAGE", display_name="image"),
                io.Audio.Output("AUDIO", display_name="audio"),
                io.Audio.Output("ANSWER", display_name="answer", tooltip="What the second person says."),
            ],
            **supported_keywords(io.Schema, search_aliases=["emo", "sample"]),
        )

    @classmethod
    def execute(cls, people: str = ONE) -> io.NodeOutput:
        picture, speech = FILES[people]
        return io.NodeOutput(
            load_image(EXAMPLES / picture)[None],
            on_wire(load_audio(EXAMPLES / speech)),
            on_wire(load_audio(EXAMPLES / "answer.wav")),
        )
