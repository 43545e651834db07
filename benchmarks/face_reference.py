"""Asks MediaPipe where the faces of pictures and films are: what benchmarks.faces compares with.

    python -m benchmarks.face_reference --task face_landmarker.task --out reference.npz PORTRAITS FILM...

Takes files, and folders as deep as they go. MediaPipe may live in an environment of its own: who reads the
file that comes out, which holds absolute paths, needs none.
"""

import argparse
import json
import sys
from pathlib import Path

from benchmarks.seeing.reference import Sight, find_files, read_frames, save_sights
from emo_training.perception.mediapipe import MediaPipeAnalyzer


def look(analyzer: MediaPipeAnalyzer, path: Path) -> Sight:
    sight = Sight.of(analyzer.analyze(read_frames(path)))
    print(f"{path}: {sight.seen.sum()} of {len(sight.seen)} frames with a face", file=sys.stderr)
    return sight


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("places", nargs="+", type=Path, metavar="PLACE", help="picture, film or folder")
    parser.add_argument("--task", type=Path, required=True, help="MediaPipe's FaceLandmarker bundle")
    parser.add_argument("--out", type=Path, required=True, help="the .npz to write")
    options = parser.parse_args()
    analyzer = MediaPipeAnalyzer(options.task)
    sights = {path.resolve(): look(analyzer, path) for path in find_files(options.places)}
    save_sights(options.out, sights)
    without = [str(path) for path, sight in sights.items() if not sight.seen.any()]
    frames = sum(len(sight.seen) for sight in sights.values())
    print(json.dumps({"files": len(sights), "frames": frames, "files_without_a_face": without}))


if __name__ == "__main__":
    main()
