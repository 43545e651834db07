"""What a face embedding and a SyncNet make of real films, whose faces MediaPipe found.

    python -m benchmarks.films REFERENCE --identity FILE --syncnet FILE

REFERENCE is what `benchmarks.face_reference` wrote. Identity: the frames of one film are one person, those of
different films different people; leave out films that share one. Sync: each film with its own sound, shifted
by up to 10 frames, and with the film's before it; films without sound are left out.
"""

import argparse
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np

from benchmarks.seeing.reference import Sight, is_film, load_sights
from emo_people.networks.identity import tell_apart
from emo_people.networks.syncnet import delay
from emo_training.evaluation.instruments import load_embedder
from emo_training.evaluation.pairs import Video
from emo_training.perception.mesh_points import face_box
from emo_training.perception.rates import FPS
from emo_training.perception.syncnet import face_crops, load_syncnet, measure_sync

LOOKED_AT = 8  # frames of each film, for its person
HEARD = 125  # frames of each film, for its sound
SHIFTS = (-10, -4, 0, 4, 10)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("reference", type=Path)
    parser.add_argument("--identity", type=Path)
    parser.add_argument("--syncnet", type=Path)
    options = parser.parse_args()
    films = {path: sight for path, sight in load_sights(options.reference).items() if is_film(path)}
    if options.identity:
        print("identity", judge_identity(options.identity, films))
    if options.syncnet:
        print("sync", judge_sync(options.syncnet, films))


def judge_identity(file: Path, films: dict[Path, Sight]) -> dict[str, float]:
    embedder, vectors, people = load_embedder(file), [], []
    for number, (path, sight) in enumerate(films.items()):
        frames, meshes = _at_25_fps(path, sight)
        chosen = np.linspace(0, len(meshes) - 1, LOOKED_AT).round().astype(int)
        kept = [frame for k, frame in enumerate(frames) if k in chosen]
        points = meshes[np.unique(chosen)]
        vectors.append(embedder.embed(np.stack(kept), face_box(points), points.astype(np.float32)))
        people += [number] * len(kept)
    return tell_apart(np.concatenate(vectors), np.array(people))


def judge_sync(file: Path, films: dict[Path, Sight]) -> dict[str, float]:
    """`within_one`: share of offsets at most one frame wrong; `auc`: how often a film is surer of its own
    sound than any is of another's; the median confidences of both."""
    net, heard = load_syncnet(file), []
    for path, sight in films.items():
        beside = path.with_name("aud.mp3")
        with_sound = Video(path if Video(path).has_sound or not beside.exists() else beside)
        if not with_sound.has_sound:
            continue
        frames, meshes = _at_25_fps(path, sight)
        crops = face_crops(islice(frames, HEARD), face_box(meshes[:HEARD]), net.config.side)
        heard.append((crops, with_sound.waveform()[: len(crops) * 640]))
    close, own, others = [], [], []
    for k, (crops, sound) in enumerate(heard):
        found = [measure_sync(net, crops, delay(sound, shift)) for shift in SHIFTS]
        close += [abs(one.offset - shift) <= 1 for one, shift in zip(found, SHIFTS, strict=True)]
        own.append(found[SHIFTS.index(0)].confidence)
        others.append(measure_sync(net, crops, np.resize(heard[k - 1][1], len(sound))).confidence)
    return {
        "films": len(heard),
        "within_one": float(np.mean(close)),
        "auc": float((np.array(own)[:, None] > np.array(others)).mean()),
        "own": float(np.median(own)),
        "others": float(np.median(others)),
    }


def _at_25_fps(path: Path, sight: Sight) -> tuple[Iterator[np.ndarray], np.ndarray]:
    """The film's frames, and as many meshes (T, 478, 2) of what they show, as far as a face was seen."""
    video = Video(path)
    seen = np.flatnonzero(sight.seen)
    until = int(seen[-1] + 1 if len(seen) == seen[-1] + 1 else np.flatnonzero(~sight.seen)[0])
    places = (np.arange(int(until * FPS / video.rate)) * video.rate / FPS).astype(int)
    return islice(video.frames(), len(places)), sight.meshes[places]


if __name__ == "__main__":
    main()
