"""EMOExample."""

from comfy_api.latest import io

from ..emo_modules.media.audio import decode_audio
from ..emo_modules.media.image import load_image
from .managed.files import EXAMPLES
from .schema import CATEGORY, follows_schema, supported_keywords


@follows_schema
class EMOExample(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="EMOExample",
            display_name="EMO Example Portrait and Speech",
            category=CATEGORY,
            description="A rendered portrait and five seconds of synthetic speech that come with the pack, "
            "for a first try of the demo model.",
            inputs=[],
            outputs=[
                io.Image.Output("IMAGE", display_name="image"),
                io.Audio.Output("AUDIO", display_name="audio"),
            ],
            **supported_keywords(io.Schema, search_aliases=["emo", "sample"]),
        )

    @classmethod
    def execute(cls) -> io.NodeOutput:
        waveform, rate = decode_audio(EXAMPLES / "speech.wav")
        return io.NodeOutput(
            load_image(EXAMPLES / "portrait.png")[None], {"waveform": waveform[None], "sample_rate": rate}
        )
