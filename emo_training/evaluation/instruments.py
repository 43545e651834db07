"""The networks that measure videos, loaded from the files that were given, and named with their checksums."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from emo_modules.cues.face_reader import WEIGHTS

from ..perception.analyzers import FaceAnalyzer, load_analyzer
from ..perception.face_identity import load_identity
from ..perception.sface import load_sface
from ..perception.syncnet import SyncNet, load_syncnet
from .feature_nets import FeatureNet, fingerprint, load_i3d, load_inception
from .identity_similarity import Embedder
from .motion import Blendshapes, Expressions, Openings


@dataclass(frozen=True)
class Weights:
    """Files of the measuring networks; without one, what needs it is left out. The texts are its options'."""

    analyzer: Annotated[str, "faces, or mediapipe:FILE for expressions, too"] = "faces"
    inception: Annotated[Path | None, "inception-2015-12-05.pt, for FID; its code runs"] = None
    i3d: Annotated[Path | None, "i3d_torchscript.pt, for FVD; its code runs"] = None
    syncnet: Annotated[Path | None, "syncnet_v2.model, or a file of train-syncnet, for LSE-C and LSE-D"] = (
        None
    )
    identity: Annotated[
        Path | None, "SFace's onnx file, or a file of train-identity, for identity similarity"
    ] = None
    face_detector: Annotated[Path | None, "YuNet's onnx file, for SFace without MediaPipe"] = None
    device: str = "cpu"  # of Inception and I3D


@dataclass(frozen=True)
class Instruments:
    """`labels` names the weights behind each instrument, with the start of their sha256."""

    analyzer: FaceAnalyzer
    inception: FeatureNet | None
    i3d: FeatureNet | None
    syncnet: SyncNet | None
    identity: Embedder | None
    expressions: Expressions | None
    labels: dict[str, str]


def load_instruments(weights: Weights) -> Instruments:
    """Loads and tries every network that was given. Raises OSError or ValueError for a wrong file."""
    analyzer = load_analyzer(weights.analyzer)
    files = {
        "analyzer": WEIGHTS if weights.analyzer == "faces" else named_file(weights.analyzer),
        "inception": weights.inception,
        "i3d": weights.i3d,
        "syncnet": weights.syncnet,
        "identity": weights.identity,
        "face detector": weights.face_detector,
    }
    labels = {name: label(path) for name, path in files.items() if path}
    labels.setdefault("analyzer", weights.analyzer)
    expressions: Expressions = Openings() if weights.analyzer == "faces" else Blendshapes()
    return Instruments(
        analyzer,
        load_inception(weights.inception, weights.device) if weights.inception else None,
        load_i3d(weights.i3d, weights.device) if weights.i3d else None,
        load_syncnet(weights.syncnet) if weights.syncnet else None,
        load_embedder(weights.identity, weights.face_detector) if weights.identity else None,
        expressions,
        labels,
    )


def named_file(analyzer: str) -> Path | None:
    """PATH of KIND:PATH."""
    path = analyzer.partition(":")[2]
    return Path(path) if path else None


def load_embedder(path: Path, face_detector: Path | None = None) -> Embedder:
    """SFace from an onnx file, the small network from a safetensors file."""
    return load_identity(path) if path.suffix == ".safetensors" else load_sface(path, face_detector)


def label(path: Path) -> str:
    return f"{path.name} (sha256 {fingerprint(path)[:12]})"
