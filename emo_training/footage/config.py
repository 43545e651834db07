"""How footage becomes samples: the settings of `prepare`."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Literal

from emo_modules.checked import Checked, Range, Share

Seconds = Annotated[float, Range(0.04, 3600)]


@dataclass(frozen=True)
class PrepareConfig(Checked):
    """How footage becomes samples; docs/footage.md says where each figure comes from.

    The texts are those of the command's options. `shard_size` is in bytes.
    """

    analyzer: Annotated[str, "faces, or mediapipe:FILE"] = "faces"
    syncnet: Annotated[
        str | None, "syncnet_v2.model, or a file of train-syncnet; without it sync is not looked at"
    ] = None
    sound: Annotated[bool, "pictures alone, for stage 1, whatever the files hold"] = True
    shots: Annotated[Literal["adaptive", "transnet"], "how cuts are found"] = "adaptive"
    size: Annotated[int, Range(16, 4096, multiple=2), "pixels of the stored square"] = 512
    min_seconds: Annotated[Seconds, "shorter shots are dropped"] = 3.0
    max_seconds: Annotated[Seconds, "longer shots are cut evenly"] = 12.0
    smallest_face: Annotated[float, Range(1, 4096), "height in pixels of the source"] = 128.0
    crop_factor: Annotated[float, Range(1, 10), "times the union of the face's boxes"] = 1.6
    min_confidence: Annotated[float | None, "of SyncNet, whose file knows its own"] = None
    max_offset: Annotated[int, Range(0, 15), "frames by which the sound may be early or late"] = 6
    min_sharpness: Annotated[float, Range(0, 1e6), "variance of the face's Laplacian"] = 12.0
    test_share: Annotated[Share, "of the people, who are held out; decided when packing"] = 0.1
    split_list: Annotated[str | None, "text file that names who is held out: files or people"] = None
    shard_size: Annotated[int, Range(1, 10**12)] = 400_000_000
    keyframes: Annotated[int, Range(1, 1000)] = 12
    crf: Annotated[int, Range(0, 51)] = 18

    def impossible(self) -> Iterator[str]:
        if self.min_seconds > self.max_seconds / 2:
            yield (
                f"samples of {self.min_seconds} to {self.max_seconds} s: the longest must be at least twice "
                "the shortest, so that any longer shot can be cut without a rest"
            )
