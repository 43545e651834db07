"""How footage becomes samples: the settings of `prepare`."""

from dataclasses import dataclass
from typing import Annotated, Literal


@dataclass(frozen=True)
class PrepareConfig:
    """How footage becomes samples; docs/footage.md says where each figure comes from.

    The texts are those of the command's options. `shard_size` is in bytes.
    """

    analyzer: Annotated[str, "faces, or mediapipe:FILE"] = "faces"
    syncnet: Annotated[str | None, "SyncNet's weights; without them sync is not looked at"] = None
    sound: Annotated[bool, "pictures alone, for stage 1, whatever the files hold"] = True
    shots: Annotated[Literal["adaptive", "transnet"], "how cuts are found"] = "adaptive"
    size: Annotated[int, "pixels of the stored square"] = 512
    min_seconds: Annotated[float, "shorter shots are dropped"] = 3.0
    max_seconds: Annotated[float, "longer shots are cut evenly"] = 12.0
    smallest_face: Annotated[float, "height in pixels of the source"] = 128.0
    crop_factor: Annotated[float, "times the union of the face's boxes"] = 1.6
    min_confidence: Annotated[float | None, "of SyncNet, whose file knows its own"] = None
    max_offset: Annotated[int, "frames by which the sound may be early or late"] = 6
    min_sharpness: Annotated[float, "variance of the face's Laplacian"] = 12.0
    test_share: Annotated[float, "of the identities"] = 0.1
    shard_size: int = 400_000_000
    keyframes: int = 12
    crf: int = 18

    def __post_init__(self) -> None:
        if self.size % 2 or self.size < 16:
            raise ValueError(f"the size must be even and at least 16, got {self.size}")
        if not 0 < self.min_seconds <= self.max_seconds / 2:
            raise ValueError(
                f"samples of {self.min_seconds} to {self.max_seconds} s: the longest must be at least twice "
                "the shortest, so that any longer shot can be cut without a rest"
            )
        if not 0 <= self.test_share <= 1:
            raise ValueError(f"the test share must be in 0..1, got {self.test_share}")
