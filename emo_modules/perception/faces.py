"""The analysers of faces in footage, by name."""

from pathlib import Path

from .avatar_tracker import load_tracker
from .cascade import CascadeAnalyzer
from .mediapipe import MediaPipeAnalyzer
from .track import FaceAnalyzer as FaceAnalyzer
from .track import FaceTrack as FaceTrack
from .track import largest as largest


def load_analyzer(spec: str) -> FaceAnalyzer:
    """The analyser named "cascade", "avatars" or "mediapipe:PATH/face_landmarker.task".

    Raises ValueError for anything else, and for a file that is missing or no bundle.
    """
    kind, _, path = spec.partition(":")
    if spec == "cascade":
        return CascadeAnalyzer()
    if spec == "avatars":
        return load_tracker()
    if kind == "mediapipe" and path:
        return MediaPipeAnalyzer(Path(path))
    raise ValueError(
        f"unknown face analyzer {spec!r}: give 'cascade' (boxes only), 'avatars' (drawn faces) or "
        "'mediapipe:PATH/face_landmarker.task' (real faces, with pose)"
    )
