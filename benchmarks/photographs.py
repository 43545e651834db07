"""Portraits that nobody here made, animated as a user does, and read by MediaPipe, which knows photographs.

    python -m benchmarks.photographs PORTRAIT... --checkpoint FILE --sounds WAV... --task BUNDLE \
        --seed 1 --json FILE --sheet PNG

Each portrait says a sentence that a held-out voice of the project's speaks, of which it is known how the jaw
and the lids would move, and two of the sounds, cut to five seconds. Portrait and sound are files, no box is
given, and the MP4 is read again. The sheet has a row for each portrait: as the model saw it, four frames of
its sentence, evenly spread, and the one in which the jaw should be widest open.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from benchmarks.seeing.animated import Acted, Animated, summarise
from emo_modules.film import write_video
from emo_modules.media.audio import load_audio
from emo_modules.media.image import load_image
from emo_modules.options import Options
from emo_modules.pipeline import Pipeline
from emo_modules.prepared import Prepared
from emo_modules.writing.partial import whole_file, write_text
from emo_modules.writing.pictures import save_picture
from emo_modules.writing.place import check_file_place
from emo_people.evaluation.people import Scope
from emo_people.evaluation.person_films import picture_of
from emo_people.filming.people_cases import KINDS, rehearse_case
from emo_people.filming.sheets import label, lay_out
from emo_people.speech.synthesis import SAMPLE_RATE
from emo_training.evaluation.pairs import Video
from emo_training.perception.mediapipe import MediaPipeAnalyzer

FIRST = 900  # of a run's seeds, those of the actors of these sentences
SENTENCE, RECORDING = 3.5, 5.0  # seconds
RECORDINGS = 2  # for each portrait
SHOWN = 4  # frames of a sentence, and the widest


@dataclass(frozen=True, eq=False)
class Sound:
    """A file to be spoken, and what its speaker does, if that is known."""

    name: str
    path: Path
    acted: Acted | None = None


@dataclass(frozen=True, eq=False)
class Portrait:
    """Its number, its file, and what it is to say; the first is a sentence with known truth."""

    number: int
    path: Path
    sounds: Sequence[Sound]

    @property
    def name(self) -> str:
        return f"{self.number:02d} {self.path.parent.name}/{self.path.name}"

    def film(self, folder: Path, sound: Sound) -> Path:
        return folder / f"{self.number:02d}-{self.path.stem}-{sound.path.stem}.mp4"


def speak_sentence(folder: Path, number: int, seed: int) -> Sound:
    """Known and unseen languages take turns."""
    case = rehearse_case(seed, KINDS[number % 2], (SENTENCE, SENTENCE))
    path = folder / f"sentence-{number:02d}.wav"
    _write_sound(path, case.take.waveform)
    return Sound(f"a sentence, {case.said.language}", path, Acted.of(case.take.performance))


def cut_recording(folder: Path, path: Path) -> Sound:
    heard = load_audio(path).mono[: round(RECORDING * SAMPLE_RATE)]
    cut = folder / f"{path.stem}-cut.wav"
    _write_sound(cut, heard.numpy())
    return Sound(path.name, cut)


def _write_sound(path: Path, waveform: np.ndarray) -> None:
    import soundfile

    with whole_file(path) as partial:
        soundfile.write(partial, waveform, SAMPLE_RATE, subtype="PCM_16", format="WAV")


def hand_out(pictures: Sequence[Path], folder: Path, recordings: Sequence[Path], seed: int) -> list[Portrait]:
    folder.mkdir(parents=True, exist_ok=True)
    seeds = Scope(seed=seed).seeds(FIRST, len(pictures))
    cut = [cut_recording(folder, path) for path in recordings]
    portraits = []
    for number, (picture, actor) in enumerate(zip(pictures, seeds, strict=True)):
        said = [speak_sentence(folder, number, actor), *take_turns(cut, number)]
        portraits.append(Portrait(number, picture, said))
    return portraits


def take_turns(recordings: Sequence[Sound], number: int) -> list[Sound]:
    """Two of them, other ones for the next number, as far as there are others."""
    count = min(RECORDINGS, len(recordings))
    return [recordings[(RECORDINGS * number + k) % len(recordings)] for k in range(count)]


def make_films(pipeline: Pipeline, options: Options, portrait: Portrait, folder: Path) -> Prepared:
    """As `animate PORTRAIT SOUND -o FILM` does. Films that are there already are left alone."""
    picture = load_image(portrait.path)
    for sound in portrait.sounds:
        film = portrait.film(folder, sound)
        if not film.exists():
            print(f"{portrait.name} says {sound.name}", file=sys.stderr, flush=True)
            write_video(pipeline.animate(picture, load_audio(sound.path), options), film, keep=1)
    return Prepared.from_portrait(picture, options, pipeline.config)


def judge(
    analyzer: MediaPipeAnalyzer, portrait: Portrait, seen: np.ndarray, folder: Path
) -> tuple[list[Animated], list[np.ndarray]]:
    """Its films, and its row of the sheet. `seen` (H, W, 3) uint8 is what the model saw of it."""
    still, films, shown = analyzer.analyze([seen]), [], [label(seen, portrait.name)]
    for sound in portrait.sounds:
        frames = np.stack(list(Video(portrait.film(folder, sound)).frames()))
        track = analyzer.analyze(frames)
        films.append(Animated.of(portrait.name, sound.name, still, track, sound.acted))
        if sound.acted is not None:
            shown += list(frames[pick(len(frames), sound.acted.jaw_open)])
    return films, shown


def pick(frames: int, opening: np.ndarray) -> list[int]:
    """Of so many frames those to show."""
    spread = np.linspace(0, frames - 1, SHOWN + 2)[1:-1].round().astype(int)
    return [*spread.tolist(), int(opening[:frames].argmax())]


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("portraits", nargs="+", type=Path, metavar="PORTRAIT", help="picture of one person")
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--sounds", nargs="*", type=Path, default=[], metavar="SOUND", help="recorded speech")
    parser.add_argument("--task", type=Path, required=True, help="MediaPipe's FaceLandmarker bundle")
    parser.add_argument("--seed", type=int, default=1, help="another seed: other sentences, other motion")
    parser.add_argument("--json", type=Path, required=True, help="where the figures go")
    parser.add_argument("--sheet", type=Path, required=True, help="the .png to write")
    parser.add_argument(
        "--films",
        type=Path,
        help="keeps sounds and films; those of the same model and seed are not made again",
    )
    return parser.parse_args()


def main() -> None:
    options = parse()
    check_file_place(options.json, (".json",))
    check_file_place(options.sheet, (".png",))
    analyzer, chosen = MediaPipeAnalyzer(options.task), Options(seed=options.seed)
    with ExitStack() as stack:
        folder = options.films or Path(stack.enter_context(TemporaryDirectory()))
        portraits = hand_out(options.portraits, folder, options.sounds, options.seed)
        pipeline = Pipeline.load(options.checkpoint)
        prepared = [make_films(pipeline, chosen, portrait, folder) for portrait in portraits]
        judged = [
            judge(analyzer, portrait, picture_of(one), folder)
            for portrait, one in zip(portraits, prepared, strict=True)
        ]
    films = [film for its_films, _ in judged for film in its_films]
    summary = summarise(films)
    summary["not_found"] = [p.name for p, one in zip(portraits, prepared, strict=True) if not one.found.found]
    rows = [film.row() for film in films]
    write_text(options.json, json.dumps({"seed": options.seed} | summary | {"each": rows}, indent=1) + "\n")
    save_picture(options.sheet, lay_out([cell for _, row in judged for cell in row], SHOWN + 2))
    print(json.dumps(summary, indent=1))


if __name__ == "__main__":
    main()
