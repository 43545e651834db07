"""How footage becomes samples: the settings of `prepare`."""

from dataclasses import dataclass


@dataclass(frozen=True)
class PrepareConfig:
    """How footage becomes clips; docs/footage.md says where each figure comes from.

    Seconds, pixels of the source (`smallest_face`, the face's height), frames (`max_offset`, of sound against
    picture, with |offset| below), bytes (`shard_size`). `syncnet` None: sync is not looked at.
    """

    analyzer: str = "cascade"
    syncnet: str | None = None
    sound: bool = True  # False: pictures for stage 1, whatever the files hold
    shots: str = "adaptive"  # or "transnet"
    size: int = 512
    min_seconds: float = 3.0
    max_seconds: float = 12.0
    smallest_face: float = 128.0
    crop_factor: float = 1.6
    min_confidence: float | None = None  # None: the bound that comes with the SyncNet
    max_offset: int = 6
    min_sharpness: float = 12.0
    test_share: float = 0.1
    shard_size: int = 400_000_000
    keyframes: int = 12
    crf: int = 18

    def __post_init__(self) -> None:
        if self.size % 2 or self.size < 16:
            raise ValueError(f"the size must be even and at least 16, got {self.size}")
        if not 0 < self.min_seconds <= self.max_seconds / 2:
            raise ValueError(
                f"clips of {self.min_seconds} to {self.max_seconds} s: the longest must be at least twice "
                "the shortest, so that any longer shot can be cut without a rest"
            )
        if not 0 <= self.test_share <= 1:
            raise ValueError(f"the test share must be in 0..1, got {self.test_share}")
