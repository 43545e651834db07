"""`animate PORTRAIT AUDIO -o OUT.mp4`."""

import argparse
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import torch
from tqdm import tqdm

from ..checkpoints.store import DEMO_CHECKPOINT
from ..film import FaceOptions, write_video
from ..media.audio import load_audio
from ..media.image import load_image
from ..media.video import SUFFIXES
from ..pipeline import Options, Pipeline, Progress
from ..precision import DTYPES, default_precision, warn_of_emulation
from ..sampling.clip_store import ClipStore, default_folder
from ..writing.pictures import SUFFIXES as PICTURES
from ..writing.place import check_file_place
from .options import add_field_options, field_values
from .sheet import write_sheet


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("portrait", type=Path)
    parser.add_argument("audio", type=Path, help="any audio or video file with sound")
    parser.add_argument("-o", "--output", type=Path, required=True, help="the video to write, .mp4")
    parser.add_argument(
        "--checkpoint", type=Path, default=DEMO_CHECKPOINT, help="default: the built-in demo model"
    )
    add_field_options(parser, Options)
    add_field_options(parser, FaceOptions)
    parser.add_argument("--vae", type=Path, help="for checkpoints without one")
    parser.add_argument("--audio-encoder", type=Path, help="for checkpoints without one")
    parser.add_argument(
        "--compile", action="store_true", help="compile the Backbone: slow start, faster steps"
    )
    parser.add_argument(
        "--low-memory", action="store_true", help="hold ReferenceNet only while it reads; same pictures"
    )
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument(
        "--dtype",
        choices=sorted(DTYPES),
        help="default: bf16 on a GPU, fp16 on one too old for it, fp32 on a CPU",
    )
    parser.add_argument(
        "--clips",
        type=Path,
        default=default_folder(),
        metavar="FOLDER",
        help="where finished clips are kept, so that a run that was stopped goes on; default: %(default)s",
    )
    parser.add_argument("--no-clips", action="store_true", help="keep none, and take none that are there")
    parser.add_argument("--sheet", type=Path, help="also write a picture of portrait, frames and waveform")


def run(options: argparse.Namespace) -> None:
    inputs = (options.portrait, options.audio)
    check_file_place(options.output, SUFFIXES, inputs)  # before minutes or hours are spent
    if options.sheet:
        check_file_place(options.sheet, PICTURES, inputs)
    audio = load_audio(options.audio)
    portrait = load_image(options.portrait)
    check_device(options.device)
    precision = options.dtype or default_precision(options.device)
    warn_of_emulation(precision, options.device)
    pipeline = Pipeline.load(
        options.checkpoint,
        options.device,
        DTYPES[precision],
        options.vae,
        options.audio_encoder,
        options.low_memory,
        None if options.no_clips else ClipStore(options.clips),
    )
    if options.compile:
        pipeline = pipeline.compiled()
    settings = FaceOptions(**field_values(FaceOptions, options)).options(field_values(Options, options))
    with tqdm(desc="denoising", unit="step") as bar, stop_when_interrupted() as stopped:
        animation = pipeline.animate(portrait, audio, settings, progress_on(bar), stopped)
        written, kept = write_video(animation, options.output)
    if options.sheet:
        write_sheet(
            options.sheet, animation.prepared.picture.permute(1, 2, 0), kept, animation.audio.waveform
        )
    print(
        f"{written}: {animation.count} frames at {animation.fps:g} per second, "
        f"{animation.prepared.crop.width} x {animation.prepared.crop.height}"
    )


@contextmanager
def stop_when_interrupted() -> Iterator[Callable[[], bool]]:
    """Whether Ctrl-C was pressed in this block. Only a second time does it raise KeyboardInterrupt."""
    pressed = False

    def note(number: int, frame: FrameType | None) -> None:
        nonlocal pressed
        pressed = True
        signal.signal(signal.SIGINT, before)
        tqdm.write("stopping after this clip; Ctrl-C once more stops at once", file=sys.stderr)

    before = signal.signal(signal.SIGINT, note)
    try:
        yield lambda: pressed
    finally:
        signal.signal(signal.SIGINT, before)


def check_device(name: str) -> None:
    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"device {name!r} cannot be used here: {reason}; try --device cpu") from error


def progress_on(bar: tqdm) -> Callable[[Progress], None]:
    def show(progress: Progress) -> None:
        bar.total = progress.clips * progress.steps
        bar.update((progress.clip - 1) * progress.steps + progress.step - bar.n)  # kept clips took no step

    return show
