"""EMOSampler."""

import logging
from dataclasses import replace
from typing import Any

import comfy.samplers
from comfy_api.latest import io

from ..emo_modules.config import ScheduleConfig
from ..emo_modules.models.deep_cache import warn_if_idle
from .managed.audio import every_sound, on_wire
from .managed.deep_cache import interval_of
from .managed.lora import own_schedule
from .managed.notices import show_on
from .managed.rendering import Rendering
from .managed.sampling import AS_TRAINED, DEFAULT_SAMPLER, SCHEDULERS, Denoising, as_made
from .managed.stopping import begin, speaker, stops
from .schema import CATEGORY, LandmarksType, PerFrame, ReferenceType, follows_schema, supported_keywords

FAR = 4  # times the model's own steps, or a part of them
FAR_CFG = 1.5


@follows_schema
class EMOSampler(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="EMOSampler",
            display_name="EMO Sampler",
            category=CATEGORY,
            description="Renders the whole audio, clip by clip: each clip goes on from the last frames of "
            "the one before, or, with EchoMimic and V-Express, overlaps it. The video is exactly as long as "
            "the audio.",
            inputs=_inputs(),
            outputs=[
                io.Latent.Output(
                    "LATENT",
                    display_name="latent",
                    is_output_list=True,
                    tooltip="All frames, one after another; of several sounds or faces one video each.",
                ),
                io.Audio.Output(
                    "AUDIO",
                    display_name="audio",
                    is_output_list=True,
                    tooltip="Exactly as long as the frames.",
                ),
                io.Float.Output("FPS", display_name="fps"),
            ],
            hidden=[io.Hidden.unique_id],
            **supported_keywords(io.Schema, search_aliases=["emo", "talking", "audio to video", "lip sync"]),
        )

    @classmethod
    def fingerprint_inputs(cls, **_: Any) -> int:
        return stops()

    @classmethod
    def execute(
        cls,
        audio: dict[str, Any],
        seed: int,
        steps: int,
        cfg: float,
        sampler_name: str,
        scheduler: str,
        audio_scale: float,
        **shared: Any,
    ) -> io.NodeOutput:
        seed = (seed + speaker()) % 2**64  # two who nod at the same time look like puppets
        denoising = Denoising(seed, steps, cfg, sampler_name, scheduler, audio_scale)
        with show_on(cls.hidden.unique_id) as log:
            rendering = Rendering(cls.hidden.unique_id, log, denoising, **shared)
            own = own_schedule(rendering.model)
            _say_if_unusual(rendering.config.name, own, steps, cfg, log)
            warn_if_idle(interval_of(rendering.model), steps or own.steps, log)
            rendering = replace(rendering, denoising=as_made(rendering.model, denoising))
            begin(cls.hidden.unique_id)
            videos = [rendering.video(sound) for sound in every_sound(audio)]
        latents = [{"samples": samples} for samples, _ in videos]
        return io.NodeOutput(latents, [on_wire(sound) for _, sound in videos], rendering.config.fps)


def _say_if_unusual(name: str, own: ScheduleConfig, steps: int, cfg: float, log: logging.Logger) -> None:
    """Habits from other models' samplers, far from what the weights were made for. 0 is their own."""
    far = not own.steps / FAR <= (steps or own.steps) <= own.steps * FAR
    if far or abs((cfg or own.cfg) - own.cfg) > FAR_CFG:
        log.warning(
            "steps %d and cfg %g are far from what %s, with its LoRAs, was made for, %d and %g: colours burn "
            "or mouths blur; 0 takes these",
            steps or own.steps, cfg or own.cfg, name, own.steps, own.cfg,
        )  # fmt: skip


def _inputs() -> list[io.Input]:
    return [*_sources(), *_sampling(), *_performance()]


def _sources() -> list[io.Input]:
    return [
        io.Model.Input("model", tooltip="From EMO Load Model; LoRAs and Torch Compile may stand between."),
        ReferenceType.Input("reference", tooltip="Who speaks. From EMO Reference Net Encode."),
        io.Audio.Input("audio", tooltip="What is said or sung, of any length, rate and number of channels."),
        io.MultiType.Input(
            "audio_encoder",
            types=[io.AudioEncoder, io.AudioEncoderOutput],
            tooltip="From EMO Load Audio Encoder: whisper-tiny for EchoMimic, wav2vec2-base-960h for Hallo "
            "and V-Express. For EMO's own models core's audio encoder nodes fit too.",
        ),
    ]


def _sampling() -> list[io.Input]:
    return [
        io.Int.Input(
            "seed",
            default=0,
            min=0,
            max=0xFFFFFFFFFFFFFFFF,
            control_after_generate=True,
            tooltip="Another seed gives another performance of the same words. Of several speakers each "
            "takes the next one.",
        ),
        io.Int.Input(
            "steps",
            default=0,
            min=0,
            max=1000,
            tooltip="Denoising steps of each clip; time grows in proportion. 0 takes the model's own: "
            "1 for the demo, 40 for the paper's and Hallo, 30 for EchoMimic, 6 for its accelerated weights, "
            "25 for V-Express.",
        ),
        io.Float.Input(
            "cfg",
            default=0.0,
            min=0.0,
            max=30.0,
            step=0.1,
            tooltip="How much portrait and sound weigh. Other than 1 takes twice the time. 0 takes the "
            "model's own: 1 for the demo and accelerated EchoMimic, 2.5 for EchoMimic, 3.5 for the paper's, "
            "Hallo and V-Express.",
        ),
        io.Combo.Input(
            "sampler_name",
            options=comfy.samplers.KSampler.SAMPLERS,
            default=DEFAULT_SAMPLER,
            tooltip="Every sampler of KSampler. euler is the paper's DDIM; with a few-step LoRA and steps 0 "
            "it becomes lcm.",
        ),
        io.Combo.Input(
            "scheduler",
            options=SCHEDULERS,
            default=AS_TRAINED,
            tooltip="Which noise levels the steps visit. as trained takes those the model was made for.",
        ),
    ]


def _performance() -> list[io.Input]:
    return [
        PerFrame.Input(
            "speed",
            default=12.0,
            min=0.0,
            max=60.0,
            step=0.5,
            tooltip="How fast the head turns, in degrees per second: 4 calm, 12 normal, 25 active. EMO Head "
            "Speed gives one value a frame. EchoMimic, Hallo and V-Express have no layers for it and ignore "
            "it.",
        ),
        io.Float.Input(
            "audio_scale",
            default=1.0,
            min=0.0,
            max=3.0,
            step=0.05,
            tooltip="How strongly the sound moves the face. 1 is as trained, 0 does not listen.",
        ),
        io.Mask.Input(
            "mask",
            optional=True,
            tooltip="Where the face may be. From EMO Face Region; several are united.",
        ),
        io.Image.Input(
            "landmark_pictures",
            optional=True,
            tooltip="For EchoMimic's pose weights: drawn landmarks, one picture for each frame. The last "
            "one is held. Instead of them, face_landmarks of a driving video will do.",
        ),
        LandmarksType.Input(
            "face_landmarks",
            optional=True,
            tooltip="From core's MediaPipe Face Landmarker on EMO Face Region's image: says where eyes and "
            "lips are, which are estimated without. For EchoMimic's pose weights, of a driving video.",
        ),
        io.Boolean.Input(
            "preview",
            default=True,
            optional=True,
            tooltip="Show every step's picture, and each finished clip with its sound. Costs a few "
            "hundredths of the time.",
            **supported_keywords(io.Boolean.Input, advanced=True),
        ),
        io.MultiType.Input(
            "previous",
            types=[io.Latent, io.Video],
            optional=True,
            tooltip="A video of this portrait that the new one goes on from without a jump: EMO Sampler's "
            "latent, or Load Video. Keep the seed, so that the head goes on where it was. Not for EchoMimic "
            "and V-Express.",
        ),
        io.Float.Input(
            "start_time",
            default=0.0,
            min=0.0,
            max=86400.0,
            step=0.01,
            optional=True,
            tooltip="Seconds into the audio at which the video begins; what was said before is still heard.",
            **supported_keywords(io.Float.Input, advanced=True),
        ),
    ]
