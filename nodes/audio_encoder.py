"""LoadAudioEncoder."""

from comfy_api.latest import io

from .managed.audio import load_audio_encoder
from .managed.files import DEMO, audio_encoder_names
from .schema import CATEGORY, follows_schema, supported_keywords


@follows_schema
class LoadAudioEncoder(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LoadAudioEncoder",
            display_name="EMO Load Audio Encoder",
            category=CATEGORY,
            description="Loads the speech encoder that a model was trained on. A wav2vec2 also works in "
            "core's Audio Encoder Encode.",
            inputs=[
                io.Combo.Input(
                    "audio_encoder_name",
                    options=audio_encoder_names(),
                    default=DEMO,
                    tooltip="emo/... is the encoder inside a checkpoint of models/emo; the others are files "
                    "in models/audio_encoders: wav2vec2-base-960h for Hallo and V-Express, "
                    "chinese-wav2vec2-base for JoyHallo, whisper-tiny for EchoMimic.",
                ),
                io.Boolean.Input(
                    "normalize",
                    default=True,
                    tooltip="For wav2vec2 files of models/audio_encoders: bring the sound to zero mean and "
                    "unit variance. On for wav2vec2-base-960h, off for chinese-wav2vec2-base. A "
                    "checkpoint's own encoder knows by itself, whisper does not use it.",
                    **supported_keywords(io.Boolean.Input, advanced=True),
                ),
            ],
            outputs=[io.AudioEncoder.Output("AUDIO_ENCODER", display_name="audio_encoder")],
            **supported_keywords(io.Schema, search_aliases=["emo", "wav2vec2", "whisper"]),
        )

    @classmethod
    def execute(cls, audio_encoder_name: str, normalize: bool) -> io.NodeOutput:
        return io.NodeOutput(load_audio_encoder(audio_encoder_name, normalize))
