"""FramesToVideo."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import comfy.model_management
import comfy.utils
import folder_paths
from comfy.cli_args import args
from comfy_api.latest import InputImpl, io, ui
from torch import Tensor

from ..emo_modules.media.image import to_rgb
from ..emo_modules.media.video import VideoWriter, soundtrack
from .managed.audio import one_sound
from .managed.notices import shown_on
from .schema import CATEGORY, follows_schema, known

DECODE_FRAMES = 16


@follows_schema
class FramesToVideo(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="FramesToVideo",
            display_name="EMO Frames to Video",
            category=CATEGORY,
            description="Writes frames and sound to an MP4 and plays it. Latents are decoded as they are "
            "written, so that memory stays flat however long the audio is.",
            inputs=_inputs(),
            outputs=[io.Video.Output("VIDEO", display_name="video")],
            hidden=[io.Hidden.unique_id, io.Hidden.prompt, io.Hidden.extra_pnginfo],
            is_output_node=True,
            **known(io.Schema, search_aliases=["emo", "save video", "combine"]),
        )

    @classmethod
    def validate_inputs(cls, filename_prefix: str = "") -> bool | str:
        if Path(filename_prefix).is_absolute() or ".." in Path(filename_prefix).parts:
            return f"{filename_prefix!r} leaves the output folder: give a name below it"
        return True

    @classmethod
    def execute(
        cls,
        fps: float,
        filename_prefix: str,
        save_output: bool,
        crf: int,
        images: Tensor | None = None,
        samples: dict[str, Tensor] | None = None,
        vae: Any = None,
        audio: dict[str, Any] | None = None,
    ) -> io.NodeOutput:
        count, pieces = _frames(images, samples, vae)
        first = next(pieces)
        height, width = first.shape[1:3]
        path, shown = _file(filename_prefix, save_output, width, height)
        with shown_on(cls.hidden.unique_id) as log:
            sound = () if audio is None else soundtrack(*one_sound(audio, log), count, fps)
        bar = comfy.utils.ProgressBar(count, node_id=cls.hidden.unique_id)
        metadata = _metadata(cls.hidden)
        with VideoWriter(path, width, height, fps, *sound, crf=crf, metadata=metadata) as video:
            while first is not None:
                for frame in first:
                    comfy.model_management.throw_exception_if_processing_interrupted()
                    video.write(frame)
                    bar.update(1)
                first = next(pieces, None)
        return io.NodeOutput(InputImpl.VideoFromFile(str(path)), ui=ui.PreviewVideo([shown]))


def _frames(
    images: Tensor | None, samples: dict[str, Tensor] | None, vae: Any
) -> tuple[int, Iterator[Tensor]]:
    """How many frames, and pieces (F, H, W, 3) of them in 0..1, made as they are asked for."""
    if (images is None) == (samples is None):
        found = "both" if images is not None else "neither"
        raise ValueError(f"either images or samples make a video, got {found}: connect one of them")
    if images is not None:
        return len(images), (to_rgb(piece) for piece in images.split(DECODE_FRAMES))
    if vae is None:
        raise ValueError("latents are connected to samples without a VAE to decode them: connect vae")
    latents = samples["samples"]
    return len(latents), (to_rgb(vae.decode(piece)) for piece in latents.split(DECODE_FRAMES))


def _file(prefix: str, save_output: bool, width: int, height: int) -> tuple[Path, ui.SavedResult]:
    kind = io.FolderType.output if save_output else io.FolderType.temp
    base = folder_paths.get_output_directory() if save_output else folder_paths.get_temp_directory()
    folder, name, counter, subfolder, _ = folder_paths.get_save_image_path(prefix, base, width, height)
    file = f"{name}_{counter:05}_.mp4"
    return Path(folder) / file, ui.SavedResult(file, subfolder, kind)


def _metadata(hidden: Any) -> dict[str, str]:
    """The graph, so that dropping the video onto ComfyUI brings it back."""
    if args.disable_metadata:
        return {}
    found = {"prompt": hidden.prompt, **(hidden.extra_pnginfo or {})}
    return {name: json.dumps(value) for name, value in found.items() if value is not None}


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
            tooltip="Folder and beginning of the file's name below ComfyUI's output folder. %year% %month% "
            "%day% %hour% %minute% %second% %width% %height% are filled in.",
        ),
        io.Boolean.Input(
            "save_output",
            default=True,
            tooltip="Off: the video goes to ComfyUI's temp folder, which is emptied at the next start.",
        ),
        io.Int.Input(
            "crf",
            default=18,
            min=0,
            max=51,
            tooltip="H.264 quality: 18 looks lossless, 6 more halve the file, 0 is lossless.",
            **known(io.Int.Input, advanced=True),
        ),
        io.Image.Input("images", optional=True, tooltip="Frames, from VAE Decode, an upscaler, Paste Back."),
        io.Latent.Input(
            "samples", optional=True, tooltip="Instead of images: from EMO Sampler, decoded with vae."
        ),
        io.Vae.Input("vae", optional=True, tooltip="For samples. From EMO Load Model or Load VAE."),
        io.Audio.Input("audio", optional=True, tooltip="From EMO Sampler. Cut or padded to the frames."),
    ]
