"""The networks that measure videos, loaded from the files that were given, and named with their checksums."""

from dataclasses import dataclass
from pathlib import Path

from ..perception.avatar_tracker import WEIGHTS as AVATAR_TRACKER
from ..perception.faces import FaceAnalyzer, load_analyzer
from ..perception.identity import load_identity
from ..perception.syncnet import AVATAR_SYNCNET, SyncNet, load_syncnet
from .identity_similarity import AvatarIdentity, Embedder
from .motion import AvatarMouth, Blendshapes, Expressions
from .networks import FeatureNet, fingerprint, load_i3d, load_inception
from .reader import WEIGHTS, load_reader

AVATARS = "avatars"  # instead of a file: the network for drawn avatars that comes with the package


@dataclass(frozen=True)
class Weights:
    """Where the measuring networks come from; None leaves out what needs the network."""

    analyzer: str = "cascade"
    inception: Path | None = None
    i3d: Path | None = None
    syncnet: str | None = None  # a file, or "avatars"
    identity: str | None = None  # a file, or "avatars"
    face_detector: Path | None = None  # YuNet, for identities where the analyzer finds no landmarks
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
        "analyzer": _analyzer_file(weights.analyzer),
        "inception": weights.inception,
        "i3d": weights.i3d,
        "syncnet": _file(weights.syncnet, AVATAR_SYNCNET),
        "identity": _file(weights.identity, WEIGHTS),
        "face detector": weights.face_detector,
        "reader": WEIGHTS if weights.analyzer == AVATARS else None,
    }
    labels = {name: label(path) for name, path in files.items() if path}
    labels.setdefault("analyzer", weights.analyzer)
    return Instruments(
        analyzer,
        load_inception(weights.inception, weights.device) if weights.inception else None,
        load_i3d(weights.i3d, weights.device) if weights.i3d else None,
        load_syncnet(files["syncnet"]) if files["syncnet"] else None,
        _embedder(weights),
        _expressions(weights.analyzer),
        labels,
    )


def label(path: Path) -> str:
    return f"{path.name} (sha256 {fingerprint(path)[:12]})"


def _file(given: str | None, own: Path) -> Path | None:
    if given is None:
        return None
    return own if given == AVATARS else Path(given)


def _analyzer_file(spec: str) -> Path | None:
    if spec == AVATARS:
        return AVATAR_TRACKER
    _, _, path = spec.partition(":")
    return Path(path) if path else None


def _embedder(weights: Weights) -> Embedder | None:
    if weights.identity is None:
        return None
    if weights.identity == AVATARS:
        return AvatarIdentity(load_reader())
    return load_identity(Path(weights.identity), weights.face_detector)


def _expressions(spec: str) -> Expressions | None:
    if spec == AVATARS:
        return AvatarMouth(load_reader())
    return Blendshapes() if spec.startswith("mediapipe:") else None
