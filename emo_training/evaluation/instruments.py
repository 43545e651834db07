"""The networks that measure videos, loaded from the files that were given, and named with their checksums."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from emo_modules.cues.face_reader import WEIGHTS
from emo_modules.weights.reading import read_header
from emo_modules.writing.digest import fingerprint

from ..perception.analyzers import FaceAnalyzer, load_analyzer
from ..perception.arcface import EMBEDDING, load_arcface, load_arcface_onnx
from ..perception.deep3d import load_deep3d
from ..perception.face_identity import KIND, OWN_KEY, load_identity
from ..perception.sface import load_sface
from ..perception.syncnet import SyncNet, load_syncnet
from .feature_nets import FeatureNet, load_i3d, load_inception
from .identity_similarity import Embedder
from .motion import Blendshapes, Expressions, FaceModel, Openings


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
        Path | None,
        "for identity similarity: arcface_torch's backbone.pth, an onnx file of insightface's or SFace's, or "
        "a file of train-identity",
    ] = None
    deep3d: Annotated[Path | None, "Deep3DFaceRecon's epoch_20.pth, or SadTalker's file, for E-FID"] = None
    face_detector: Annotated[Path | None, "YuNet's onnx file, for SFace without MediaPipe"] = None
    device: str = "cpu"  # of Inception, I3D, IResNet and Deep3DFaceRecon


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
    deep3d: Expressions | None = None


def load_instruments(weights: Weights) -> Instruments:
    """Loads and tries every network that was given. Raises OSError or ValueError for a wrong file."""
    analyzer = load_analyzer(weights.analyzer)
    files = {
        "analyzer": WEIGHTS if weights.analyzer == "faces" else named_file(weights.analyzer),
        "inception": weights.inception,
        "i3d": weights.i3d,
        "syncnet": weights.syncnet,
        "identity": weights.identity,
        "deep3d": weights.deep3d,
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
        load_embedder(weights.identity, weights.face_detector, weights.device) if weights.identity else None,
        expressions,
        labels,
        FaceModel(load_deep3d(weights.deep3d, weights.device)) if weights.deep3d else None,
    )


def named_file(analyzer: str) -> Path | None:
    """PATH of KIND:PATH."""
    path = analyzer.partition(":")[2]
    return Path(path) if path else None


def load_embedder(path: Path, face_detector: Path | None = None, device: str = "cpu") -> Embedder:
    """SFace or a model of insightface's from an onnx file, which tell apart by the length of their vectors;
    IResNet or the small network from a file of tensors.

    Raises OSError or ValueError for a file that is none of them.
    """
    if path.suffix == ".onnx":
        sface = load_sface(path, face_detector)
        return load_arcface_onnx(path) if sface.dimensions == EMBEDDING else sface
    if path.suffix == ".safetensors" and OWN_KEY in read_header(path, KIND)[1]:
        return load_identity(path)
    return load_arcface(path, device)


def label(path: Path) -> str:
    return f"{path.name} (sha256 {fingerprint(path)[:12]})"
