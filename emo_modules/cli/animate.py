"""`animate PORTRAIT AUDIO -o OUT.mp4`, or another format of films."""

import argparse
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from io import FileIO
from pathlib import Path
from types import FrameType

from tqdm import tqdm

from ..cost.rates import RateBook
from ..cost.stopwatch import Stopwatch
from ..film import FaceOptions, write_video
from ..live import animate_live, check_goes_live, write_live
from ..media.audio import load_audio
from ..media.files import STANDARD
from ..media.formats import FORMATS, check_film, check_live, format_of
from ..media.image import load_image
from ..media.live_sound import TAKES, LiveSound
from ..model_choice import ModelChoice, check_device
from ..options import Options
from ..precision import default_device
from ..sampling.clip_store import default_folder
from ..writing.pictures import SUFFIXES as PICTURES
from ..writing.place import check_file_place
from .cost import Bar, bar_of, print_estimate, work_for
from .options import add_field_options, field_values
from .sheet import write_sheet

# They need what has not come yet, or keep what comes once
NOT_LIVE = ("estimate", "sheet", "format", "start", "decode_beside", "clips")


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("portrait", type=Path)
    parser.add_argument(
        "audio", type=Path, help="any audio or video file with sound; with --stream also - for standard input"
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        required=True,
        help="the film to write: .mp4, .m4v, .mov, .mkv, .webm, .gif, or FOLDER/%%05d.png for its frames; "
        "with --stream .mp4, or - for standard output",
    )
    parser.add_argument(
        "--stream",
        action="store_true",
        help="begin before the sound has ended, and write an MP4 that plays while it grows",
    )
    parser.add_argument("--format", choices=sorted(FORMATS), help="default: what the output's suffix means")
    add_field_options(parser, Options)
    add_field_options(parser, FaceOptions)
    add_field_options(parser, ModelChoice)
    parser.add_argument("--device", default=default_device())
    parser.add_argument(
        "--estimate",
        action="store_true",
        help="tell time and memory it will take, and render nothing",
    )
    parser.add_argument("--sheet", type=Path, help="also write a picture of portrait, frames and waveform")


def run(options: argparse.Namespace) -> None:
    if options.stream:
        stream(options)
        return
    if STANDARD in (options.audio, options.output):
        raise ValueError("- is standard input or output, which only a film takes that is made with --stream")
    inputs = (options.portrait, options.audio)
    format = FORMATS[options.format] if options.format else format_of(options.output)
    check_film(options.output, format, inputs)  # before minutes or hours are spent
    if options.sheet:
        check_file_place(options.sheet, PICTURES, inputs)
    watch = Stopwatch(time.process_time())  # what it took to come here
    audio = load_audio(options.audio)
    model = ModelChoice(**field_values(ModelChoice, options))
    asked = field_values(Options, options)
    if options.estimate:
        check_device(options.device)
        config, weights = model.read()
        print_estimate(work_for(config, audio, Options(**asked), model, options.device), weights, model)
        return
    portrait = load_image(options.portrait)
    pipeline = model.load(options.device)
    settings = FaceOptions(**field_values(FaceOptions, options)).options(asked)
    work = work_for(pipeline.config, audio, settings, model, options.device)
    rates = RateBook(default_folder())
    with bar_of(work) as bar, stop_when_interrupted() as stopped:
        progress = Bar(bar, work, watch, rates.find(work))
        animation = pipeline.animate(portrait, audio, settings, progress.step, stopped, watch)
        film = write_video(
            replace(animation, frames=progress.clips(animation.frames)), options.output, format
        )
    if found := watch.rates(work):
        rates.add(work, found)
    if options.sheet:
        write_sheet(
            options.sheet, animation.prepared.picture.permute(1, 2, 0), film.kept, animation.audio.waveform
        )
    whole = "" if film.frames == animation.count else f" of {animation.count}"
    print(
        f"{film.path}: {film.frames}{whole} frames at {animation.fps:g} per second, "
        f"{animation.prepared.crop.width} x {animation.prepared.crop.height}"
    )
    if whole and not options.no_clips:
        print("the same command goes on from there")


def stream(options: argparse.Namespace) -> None:
    """Sound that is still coming -> a film that is watched meanwhile. Ctrl-C ends it with what is there."""
    refused = [name for name in NOT_LIVE if getattr(options, name)]
    if refused:
        names = " and ".join(f"--{name.replace('_', '-')}" for name in refused)
        raise ValueError(f"with --stream the film begins before its sound has ended: leave out {names}")
    check_live(options.output)
    check_source(options.audio)
    portrait = load_image(options.portrait)
    asked = FaceOptions(**field_values(FaceOptions, options)).options(field_values(Options, options))
    pipeline = ModelChoice(**field_values(ModelChoice, options)).load(options.device)
    check_goes_live(pipeline.config)
    print("listening", file=sys.stderr)
    with stop_when_interrupted() as stopped, live_sound(options.audio, stopped) as sound:
        frames = write_live(animate_live(pipeline, portrait, sound, asked), options.output)
    print(f"{options.output}: {frames} frames at {pipeline.config.fps:g} per second", file=sys.stderr)


def check_source(path: Path) -> None:
    """Raises ValueError for a terminal, which nobody speaks to, FileNotFoundError where nothing is."""
    if path == STANDARD and sys.stdin.isatty():
        raise ValueError(f"standard input is a terminal: {TAKES}")
    if path != STANDARD and not path.exists():
        raise FileNotFoundError(f"{path}: no such file")


def live_sound(path: Path, stopped: Callable[[], bool]) -> LiveSound:
    """Raises as `LiveSound`."""
    file = FileIO(sys.stdin.fileno(), closefd=False) if path == STANDARD else FileIO(path)
    return LiveSound(file, "standard input" if path == STANDARD else str(path), stopped)


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
