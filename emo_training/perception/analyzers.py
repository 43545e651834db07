"""The analysers of faces in footage, by name."""

from pathlib import Path

from .face_track import FaceAnalyzer as FaceAnalyzer
from .face_track import FaceTrack as FaceTrack
from .face_track import largest as largest
from .faces import PeopleAnalyzer
from .mediapipe import MediaPipeAnalyzer
from .tracker import load_tracker


def load_analyzer(spec: str) -> FaceAnalyzer:
    """The analyser named "faces", "tracker:PATH" or "mediapipe:PATH/face_landmarker.task".

    Raises ValueError for anything else, and ValueError or OSError for a file that is missing or another.
    """
    kind, _, path = spec.partition(":")
    if spec == "faces":
        return PeopleAnalyzer.load()
    if kind == "tracker" and path:
        return load_tracker(Path(path))
    if kind == "mediapipe" and path:
        return MediaPipeAnalyzer(Path(path))
    raise ValueError(
        f"unknown face analyzer {spec!r}: give 'faces' (the pack's own), 'tracker:FILE' "
        "(of train-tracker) or 'mediapipe:PATH/face_landmarker.task' (with expressions)"
    )
