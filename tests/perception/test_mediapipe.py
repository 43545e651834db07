"""MediaPipe's weights cannot be shipped: its landmarker is played by a fake with the real one's fields."""

import sys
from dataclasses import dataclass, field
from importlib.machinery import ModuleSpec
from types import ModuleType, SimpleNamespace
from zipfile import ZipFile

import numpy as np
import pytest

from emo_training.perception.analyzers import load_analyzer
from emo_training.perception.pose import rotation_matrices

FRAME = np.zeros((100, 200, 3), np.uint8)


@pytest.fixture
def bundle(tmp_path):
    path = tmp_path / "face_landmarker.task"
    with ZipFile(path, "w") as archive:
        archive.writestr("face_detector.tflite", "")
    return path


def face(x0, y0, x1, y1, angles=(0, 0, 0)):
    """Mesh, blendshapes and transform of a face over a box in fractions of the picture."""
    corners = [(x0, y0), (x1, y1)] + [((x0 + x1) / 2, (y0 + y1) / 2)] * 476
    transform = np.eye(4)
    behind = np.diag([1.0, 1.0, -1.0])
    transform[:3, :3] = behind @ rotation_matrices(*np.array(angles, float)[:, None])[0].T @ behind
    return (
        [SimpleNamespace(x=x, y=y, z=0.0) for x, y in corners],
        [SimpleNamespace(score=x0)] * 52,
        transform,
    )


@dataclass
class FakeLandmarker:
    shots: list[list[tuple]]
    times: list[int] = field(default_factory=list)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass

    def detect_for_video(self, image, timestamp_ms):
        assert image.data.flags.c_contiguous and image.image_format == "SRGB"
        assert not self.times or timestamp_ms > self.times[-1]
        self.times.append(timestamp_ms)
        faces = self.shots[len(self.times) - 1]
        meshes, scores, transforms = zip(*faces, strict=True) if faces else ([], [], [])
        return SimpleNamespace(
            face_landmarks=list(meshes),
            face_blendshapes=list(scores),
            facial_transformation_matrixes=list(transforms),
        )


@pytest.fixture
def play(monkeypatch):
    """Puts a module named mediapipe in place, whose landmarker sees the given faces; returns that."""

    def installed(shots, error=None):
        landmarker = FakeLandmarker(shots)

        def create(options):
            assert options.num_faces >= 2 and options.running_mode == "VIDEO"
            assert options.output_face_blendshapes and options.output_facial_transformation_matrixes
            if error:
                raise error
            return landmarker

        package, python = ModuleType("mediapipe"), ModuleType("mediapipe.tasks.python")
        package.__spec__ = ModuleSpec("mediapipe", None)
        package.Image, package.ImageFormat = SimpleNamespace, SimpleNamespace(SRGB="SRGB")
        python.BaseOptions = SimpleNamespace
        python.vision = SimpleNamespace(
            FaceLandmarkerOptions=SimpleNamespace,
            RunningMode=SimpleNamespace(VIDEO="VIDEO"),
            FaceLandmarker=SimpleNamespace(create_from_options=create),
        )
        tasks = ModuleType("mediapipe.tasks")
        for module in (package, tasks, python):
            monkeypatch.setitem(sys.modules, module.__name__, module)
        return landmarker

    return installed


def test_faces_are_counted_and_the_largest_is_followed(bundle, play):
    small, large = face(0.7, 0.1, 0.8, 0.3), face(0.1, 0.2, 0.4, 0.9, (20, -10, 5))
    landmarker = play([[large], [small, large], []])
    track = load_analyzer(f"mediapipe:{bundle}").analyze([FRAME] * 3)
    assert track.counts.tolist() == [1, 2, 0] and landmarker.times == [0, 40, 80]
    assert np.allclose(track.boxes[:2], [(20, 20, 80, 90)] * 2) and np.isnan(track.boxes[2]).all()
    assert np.allclose(track.rotations[:2], [(20, -10, 5)] * 2, atol=1e-4)
    assert np.isnan(track.rotations[2]).all()
    assert track.landmarks.shape == (3, 478, 2) and np.allclose(track.landmarks[1, 1], (80, 90))
    assert track.expressions.shape == (3, 52) and np.allclose(track.expressions[:2], 0.1)


def test_no_frames_at_all(bundle, play):
    play([])
    track = load_analyzer(f"mediapipe:{bundle}").analyze([])
    assert track.boxes.shape == (0, 4) and track.rotations.shape == (0, 3) and len(track) == 0


def test_a_missing_bundle_is_named(tmp_path):
    with pytest.raises(ValueError, match="missing.task is not there: download"):
        load_analyzer(f"mediapipe:{tmp_path / 'missing.task'}")


def test_a_page_instead_of_a_bundle_is_refused(tmp_path):
    path = tmp_path / "face_landmarker.task"
    path.write_text("<html>not found</html>")
    with pytest.raises(ValueError, match=r"\(22 bytes\) is no MediaPipe task bundle"):
        load_analyzer(f"mediapipe:{path}")


def test_a_missing_package_is_named(bundle, monkeypatch):
    monkeypatch.setattr("emo_training.perception.mediapipe.find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"pip install 'emo-portrait\[mediapipe\]'"):
        load_analyzer(f"mediapipe:{bundle}")


def test_a_bundle_of_something_else_is_refused(bundle, play):
    play([], FileNotFoundError("No file with name: face_detector.tflite"))
    with pytest.raises(ValueError, match="MediaPipe cannot use .*face_detector.tflite; download"):
        load_analyzer(f"mediapipe:{bundle}").analyze([FRAME])
