"""`converse PORTRAIT SOUND SOUND -o OUT.mp4`: several people of one picture speak."""

import argparse
from collections.abc import Callable
from pathlib import Path

from tqdm import tqdm

from ..cues.box import Box
from ..film import write_video
from ..media.audio import load_audio
from ..media.conversation import PAUSE, Conversation, at_once, by_turns, in_turn, read_turns
from ..media.formats import FORMATS, check_film, format_of
from ..media.image import load_image
from ..model_choice import ModelChoice
from ..options import Options
from ..pipeline import Progress
from ..precision import default_device
from ..together import animate_together, faces_of
from .animate import stop_when_interrupted
from .options import add_field_options, field_values


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("portrait", type=Path, help="the picture with all of them")
    parser.add_argument("sounds", type=Path, nargs="+", help="what each of them says, from left to right")
    parser.add_argument("-o", "--output", type=Path, required=True, help="the film to write, as for animate")
    parser.add_argument("--format", choices=sorted(FORMATS), help="default: what the output's suffix means")
    parser.add_argument(
        "--box",
        type=float,
        nargs=4,
        action="append",
        metavar=("X0", "Y0", "X1", "Y1"),
        help="the face of one of them, in pixels, once for each in the order of the sounds; default: the "
        "faces that are found, from left to right",
    )
    order = parser.add_mutually_exclusive_group()
    order.add_argument(
        "--pause", type=float, default=PAUSE, help=f"seconds between two speakers (default {PAUSE})"
    )
    order.add_argument("--at-once", action="store_true", help="all of them begin together")
    order.add_argument(
        "--turns",
        type=Path,
        help="a text file for one SOUND of all of them: a line for each turn with speaker, beginning and end "
        "in seconds",
    )
    add_field_options(parser, Options)
    add_field_options(parser, ModelChoice)
    parser.add_argument("--device", default=default_device())


def run(options: argparse.Namespace) -> None:
    format = FORMATS[options.format] if options.format else format_of(options.output)
    check_film(options.output, format, (options.portrait, *options.sounds))
    talk, portrait = _conversation(options), load_image(options.portrait)
    speakers = len(talk.voices)
    boxes = [Box(*box) for box in options.box] if options.box else faces_of(portrait, speakers)
    settings = Options(**field_values(Options, options))
    pipeline = ModelChoice(**field_values(ModelChoice, options)).load(options.device)
    with tqdm(desc="denoising", unit="step") as bar, stop_when_interrupted() as stopped:
        film = write_video(
            animate_together(pipeline, portrait, talk, boxes, settings, progress_on(bar), stopped),
            options.output,
            format,
        )
    print(f"{film.path}: {speakers} speakers, {film.frames} frames")


def progress_on(bar: "tqdm[None]") -> Callable[[Progress], None]:
    def show(progress: Progress) -> None:
        bar.total = progress.clips * progress.steps
        bar.update((progress.clip - 1) * progress.steps + progress.step - bar.n)  # kept clips took no step

    return show


def _conversation(options: argparse.Namespace) -> Conversation:
    sounds = [load_audio(path) for path in options.sounds]
    if options.turns is None:
        return at_once(sounds) if options.at_once else in_turn(sounds, options.pause)
    if len(sounds) > 1:
        raise ValueError(f"{len(sounds)} sounds are given, but the turns say who speaks in one")
    return by_turns(sounds[0], read_turns(options.turns.read_text("utf-8")))
