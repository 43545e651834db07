"""FramesToVideo."""

import logging
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any

import comfy.model_management
import comfy.utils
from comfy_api.latest import Input, io
from torch import Tensor

from ..emo_modules.media.audio import Audio, exact_fps
from ..emo_modules.media.conversation import at_once
from ..emo_modules.media.finite import check_finite
from ..emo_modules.media.formats import Format, check_encoders
from ..emo_modules.media.image import to_rgb
from ..emo_modules.media.video import VideoWriter, soundtrack
from .managed.audio import first_sound
from .managed.films import CHOICES, DEFAULT
from .managed.metadata import graph_tags
from .managed.notices import show_on
from .managed.objects import check_decodes
from .managed.output_files import check_prefix, output_file, saved_result
from .schema import CATEGORY, follows_schema, supported_keywords

DECODE_FRAMES = 16


@follows_schema
class FramesToVideo(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="FramesToVideo",
            display_name="EMO Frames to Video",
            category=CATEGORY,
            description="Writes frames and sound to an MP4, or another format, and plays it. Latents are "
            "decoded as they are written, so that memory stays flat however long the audio is.",
            inputs=_inputs(),
            outputs=[io.Video.Output("VIDEO", display_name="video", is_output_list=True)],
            is_input_list=True,
            hidden=[io.Hidden.unique_id, io.Hidden.prompt, io.Hidden.extra_pnginfo],
            is_output_node=True,
            **supported_keywords(io.Schema, search_aliases=["emo", "save video", "combine"]),
        )

    @classmethod
    def validate_inputs(
        cls, filename_prefix: str | None = None, save_output: bool | None = None, format: str = DEFAULT
    ) -> bool | str:
        choice = CHOICES.get(str(format), CHOICES[DEFAULT])
        try:
            check_encoders(choice.format)
            if filename_prefix is not None:
                check_prefix(str(filename_prefix), save_output is not False, choice.ending)
        except (ValueError, OSError) as error:
            return str(error)
        return True

    @classmethod
    def execute(
        cls,
        images: Sequence[Tensor] = (),
        samples: Sequence[Any] = (),
        audio: Sequence[Any] = (),
        **others: Any,
    ) -> io.NodeOutput:
        """One film for each of the videos; sounds beyond their number are those of several speakers in one
        picture."""
        films = max(len(images), len(samples), 1)
        with show_on(cls.hidden.unique_id) as log:
            sounds = [first_sound(each, log) for each in audio]
            if films == 1 and len(sounds) > 1:
                sounds = [at_once(sounds).mixed]
            given = {"images": images, "samples": samples, "audio": sounds} | others
            each = [{name: _at(values, k) for name, values in given.items()} for k in range(films)]
            written = [cls._film(log, **one) for one in each]
        shown: dict[str, list[Any]] = {}
        for _, results in written:
            for name, values in results.items():
                shown.setdefault(name, []).extend(values)
        return io.NodeOutput([video for video, _ in written], ui=shown)

    @classmethod
    def _film(
        cls,
        log: logging.Logger,
        fps: float,
        filename_prefix: str,
        save_output: bool,
        crf: int,
        images: Tensor | None,
        samples: dict[str, Tensor] | None,
        audio: Audio | None,
        vae: Any = None,
        format: str = DEFAULT,
    ) -> tuple[Input.Video, dict[str, Any]]:
        choice = CHOICES[format]
        # what comes over a wire was not there to validate
        check_prefix(filename_prefix, save_output, choice.ending)
        count, batches = _frames(images, samples, vae)
        first = next(batches)
        height, width = first.shape[1:3]
        path = output_file(filename_prefix, save_output, choice.ending, width, height, cls.hidden, log)
        sound = None if audio is None else _sound(audio, count, fps, choice.format, log)
        writer = VideoWriter(
            path, width, height, fps, sound, crf=crf, metadata=graph_tags(cls.hidden),
            format=choice.format, replace=False,
            cancelled_by=(comfy.model_management.InterruptProcessingException,),
        )  # fmt: skip
        _write(writer, chain([first], batches), comfy.utils.ProgressBar(count, cls.hidden.unique_id))
        shown = choice.shown(writer, lambda path: saved_result(path, save_output))
        return choice.video(writer, (width, height), count, exact_fps(fps)), shown


def _at(values: Sequence[Any], place: int) -> Any:
    """As ComfyUI deals out lists: the last value again where there are fewer, None where there is none."""
    return values[min(place, len(values) - 1)] if values else None


def _write(writer: VideoWriter, batches: Iterable[Tensor], bar: comfy.utils.ProgressBar) -> None:
    with writer:
        for frame in chain.from_iterable(batches):
            comfy.model_management.throw_exception_if_processing_interrupted()
            writer.write(frame)
            bar.update(1)


def _sound(audio: Audio, count: int, fps: float, format: Format, log: logging.Logger) -> Audio:
    """As the file holds it beside the frames; says when they do not last as long."""
    seconds, frames = audio.waveform.shape[-1] / audio.sample_rate, count / fps
    if abs(seconds - frames) > 1 / fps:
        log.warning(
            "%d frames at %g per second last %.2f s, the audio %.2f s: it is %s, and lips will not fit it; "
            "connect the fps and audio of EMO Sampler",
            count, fps, frames, seconds, "cut" if seconds > frames else "followed by silence",
        )  # fmt: skip
    return soundtrack(audio, count, fps, format)


def _frames(
    images: Tensor | None, samples: dict[str, Tensor] | None, vae: Any
) -> tuple[int, Iterator[Tensor]]:
    """How many frames, and batches (F, H, W, 3) of them in 0..1, made as they are asked for."""
    if images is not None and samples is None:
        return len(images), (to_rgb(batch) for batch in images.split(DECODE_FRAMES))
    if images is not None or samples is None:
        found = "both" if samples else "neither"
        raise ValueError(f"either images or samples make a video, got {found}: connect one of them")
    if vae is None:
        raise ValueError("latents are connected to samples without a VAE to decode them: connect vae")
    latents = samples["samples"]
    check_decodes(vae, latents)
    return len(latents), _decoded(vae, latents)


def _decoded(vae: Any, latents: Tensor) -> Iterator[Tensor]:
    for batch in latents.split(DECODE_FRAMES):
        frames = vae.decode(batch)
        check_finite(frames, "what the VAE decoded")
        yield to_rgb(frames)


def _inputs() -> list[io.Input]:
    return [
        io.Float.Input(
            "fps",
            default=25.0,
            min=1.0,
            max=240.0,
            step=0.01,
            tooltip="Frames per second; connect EMO Sampler's, so that sound and picture fit.",
        ),
        io.String.Input(
            "filename_prefix",
            default="video/EMO",
            tooltip="Folder and beginning of the file's name below ComfyUI's output folder. "
            "%date:yyyy-MM-dd%, %NODE.WIDGET% and %year% %month% %day% %hour% %minute% %second% %width% "
            "%height% are filled in, as in core's savers.",
        ),
        io.Boolean.Input(
            "save_output",
            default=True,
            tooltip="Off: the video goes to ComfyUI's temp folder, which is emptied at the next start.",
        ),
        io.Int.Input(
            "crf",
            default=18,
            min=1,
            max=51,
            tooltip="Quality on H.264's scale: 18 looks lossless, 6 more halve the file. For VP9 it is "
            "brought to that encoder's 1 to 63; the other formats have none to choose. 0, lossless, is not "
            "offered: browsers do not play it.",
            **supported_keywords(io.Int.Input, advanced=True),
        ),
        io.Image.Input(
            "images", optional=True, tooltip="Frames, from VAE Decode, an upscaler, EMO Paste Back."
        ),
        io.Latent.Input(
            "samples", optional=True, tooltip="Instead of images: from EMO Sampler, decoded with vae."
        ),
        io.Vae.Input("vae", optional=True, tooltip="For samples. From EMO Load Model or Load VAE."),
        io.Audio.Input("audio", optional=True, tooltip="From EMO Sampler. Cut or padded to the frames."),
        io.Combo.Input(
            "format",
            options=[*CHOICES],
            default=DEFAULT,
            optional=True,
            tooltip="webm: VP9 and Opus, for web pages. gif: repeats for ever, at most 50 frames per second. "
            "png frames: numbered pictures in a folder. mov: ProRes 422 HQ, for editing; browsers do not "
            "play it. The sound of gif and png frames goes into a .wav beside them.",
        ),
    ]
