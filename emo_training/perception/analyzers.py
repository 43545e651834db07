"""The analysers of faces in footage, by name."""

from pathlib import Path

from .face_track import FaceAnalyzer as FaceAnalyzer
from .face_track import FaceTrack as FaceTrack
from .face_track import largest as largest
from .faces import PeopleAnalyzer
from .mediapipe import MediaPipeAnalyzer


def load_analyzer(spec: str) -> FaceAnalyzer:
    """The analyser named "faces" or "mediapipe:PATH/face_landmarker.task".

    Raises ValueError for anything else, and ValueError or OSError for a file that is missing or another.
    """
    kind, _, path = spec.partition(":")
    if spec == "faces":
        return PeopleAnalyzer.load()
    if kind == "mediapipe" and path:
        return MediaPipeAnalyzer(Path(path))
    raise ValueError(
        f"unknown face analyzer {spec!r}: give 'faces' (the pack's own) or "
        "'mediapipe:PATH/face_landmarker.task' (with expressions)"
    )
