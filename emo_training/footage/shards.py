"""Prepared samples in WebDataset shards: the tar format, its index, and reading one sample of many.

A shard is a plain tar whose members KEY.mp4, KEY.flac, KEY.npz, KEY.landmarks.npz and KEY.json belong
together. Beside each lies SHARD.index.json with every member's place, so that training reads any sample
without reading what stands before it, and goes on exactly where it stopped.
"""

import io
import json
import os
import tarfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from emo_modules.writing.errors import write_errors
from emo_modules.writing.partial import create_partial, write_json

from ..perception.rates import FPS

VERSION = 2  # of the indices; those of version 1 are read too
BLOCK = tarfile.BLOCKSIZE
SPEED_BIN = 0.25  # degrees per second
SPEED_BINS = 800
INDEX = "index.json"
LANDMARKS = "landmarks.npz"
REMEDY = (
    "run the same `prepare` again with another --test-share, with --split-list or with the column `split` in "
    "the manifest; nothing is prepared again for that"
)


@dataclass(frozen=True)
class Sample:
    """One training example as it lies in a shard; docs/footage.md has the schema."""

    key: str
    video: bytes  # mp4, H.264, 25 fps, square, without sound
    audio: bytes | None  # flac, 16 kHz mono, as long as the video; None for footage without sound
    arrays: dict[str, np.ndarray]  # boxes (T, 4), rotations (T, 3), speeds (T,), perhaps openings (T, 4)
    facts: dict[str, Any]
    landmarks: np.ndarray | None = None  # (T, K, 2) in pixels; None where unknown, and where not asked for

    def members(self) -> dict[str, bytes]:
        """The files by suffix, in the order in which they are stored.

        Landmarks are float16, off by at most 1/4096 of the picture's size: an eighth of a pixel at 512, which
        no detector is sure of.
        """
        files = {"mp4": self.video}
        if self.audio is not None:
            files["flac"] = self.audio
        files["npz"] = _pack(np.savez, self.arrays)
        if self.landmarks is not None:
            files[LANDMARKS] = _pack(np.savez_compressed, {"landmarks": self.landmarks.astype(np.float16)})
        return files | {"json": json.dumps(self.facts, sort_keys=True, indent=1).encode()}

    @classmethod
    def from_members(cls, key: str, files: dict[str, bytes]) -> Self:
        arrays = _unpack(files["npz"])
        landmarks = arrays.pop("landmarks", None)  # as shards had them before they had a member of their own
        if LANDMARKS in files:
            landmarks = _unpack(files[LANDMARKS])["landmarks"].astype(np.float32)
        facts = json.loads(files["json"])
        return cls(key, files["mp4"], files.get("flac"), arrays, facts, landmarks)


def _pack(save: Callable[..., None], arrays: dict[str, np.ndarray]) -> bytes:
    packed = io.BytesIO()
    save(packed, **arrays)
    return packed.getvalue()


def _unpack(packed: bytes) -> dict[str, np.ndarray]:
    with np.load(io.BytesIO(packed)) as arrays:
        return dict(arrays)


class ShardWriter:
    """Writes samples to a tar with the same bytes for the same samples; it appears when `with` ends well."""

    def __init__(self, path: Path) -> None:
        self.path, self.size = path, 0

    def __enter__(self) -> Self:
        with write_errors(self.path):
            self._partial = create_partial(self.path)
            self._tar = tarfile.open(self._partial, "w", format=tarfile.USTAR_FORMAT)
        return self

    def write(self, sample: Sample) -> None:
        self.write_members(sample.key, sample.members())

    def write_members(self, key: str, files: dict[str, bytes]) -> None:
        for suffix, content in files.items():
            info = tarfile.TarInfo(f"{key}.{suffix}")
            info.size, info.mode = len(content), 0o644  # owner, group and time stay 0
            with write_errors(self.path):
                self._tar.addfile(info, io.BytesIO(content))
            self.size += BLOCK + -(-len(content) // BLOCK) * BLOCK

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            with write_errors(self.path):
                self._tar.__exit__(kind, error, trace)
                if kind is None:
                    os.replace(self._partial, self.path)
        finally:
            self._partial.unlink(missing_ok=True)


@dataclass(frozen=True)
class SampleEntry:
    """Where one sample lies, and what has to be known before it is read."""

    key: str
    shard: str
    split: str  # of shards from before index.json knew it; "" in a shard's own index since then
    identity: str
    frames: int
    sound: bool
    places: dict[str, tuple[int, int]]  # by suffix: first byte in the shard, number of bytes


def read_samples(path: Path) -> Iterator[Sample]:
    """Every sample of a shard, in order. Raises ValueError for a file that is no whole shard."""
    for entry in scan_shard(path):
        yield read_sample(path.parent, entry)


def read_sample(folder: Path, entry: SampleEntry, landmarks: bool = False) -> Sample:
    """One sample, without the rest of its shard, and without its landmarks unless they are asked for.

    Raises as `read_members`.
    """
    wanted = [suffix for suffix in entry.places if landmarks or suffix != LANDMARKS]
    return Sample.from_members(entry.key, read_members(folder, entry, wanted))


def read_members(folder: Path, entry: SampleEntry, suffixes: Iterable[str]) -> dict[str, bytes]:
    """Files of one sample by suffix. Raises ValueError when the shard ends before one of them."""
    files = {}
    with (folder / entry.shard).open("rb") as file:
        for suffix in suffixes:
            start, size = entry.places[suffix]
            file.seek(start)
            files[suffix] = file.read(size)
            if len(files[suffix]) < size:
                raise ValueError(
                    f"{folder / entry.shard} ends before {entry.key}.{suffix}: expected {size} bytes, found "
                    f"{len(files[suffix])}; copy the shard again"
                )
    return files


def scan_shard(path: Path) -> list[SampleEntry]:
    """The index of a shard, read from the tar itself. Raises ValueError for a file that is no whole shard."""
    places: dict[str, dict[str, tuple[int, int]]] = {}
    facts: dict[str, dict[str, Any]] = {}
    try:
        with tarfile.open(path, "r:") as tar:
            for member in tar:
                key, suffix = member.name.split(".", 1)
                places.setdefault(key, {})[suffix] = (member.offset_data, member.size)
                if suffix == "json" and (file := tar.extractfile(member)):
                    facts[key] = json.loads(file.read())
    except (tarfile.TarError, ValueError) as error:
        raise ValueError(f"{path} is no whole WebDataset shard: {error}; prepare or copy it again") from error
    whole = {key for key, files in places.items() if {"mp4", "npz"} <= files.keys() and key in facts}
    if broken := sorted(places.keys() - whole):
        raise ValueError(f"{path}: sample {broken[0]} lacks mp4, npz or json; prepare or copy it again")
    return [
        SampleEntry(
            key, path.name, facts[key].get("split", ""), facts[key]["identity"], facts[key]["frames"],
            "flac" in files, files,
        )
        for key, files in places.items()
    ]  # fmt: skip


def index_path(shard: Path) -> Path:
    return shard.with_suffix(".index.json")


def index_shard(path: Path) -> None:
    """Write SHARD.index.json: the samples' places, and for each person a histogram of head speeds."""
    counts: dict[str, np.ndarray] = {}
    entries = scan_shard(path)
    for entry in entries:
        speeds = _unpack(read_members(path.parent, entry, ["npz"])["npz"])["speeds"]
        known = np.clip(speeds[np.isfinite(speeds)] / SPEED_BIN, 0, SPEED_BINS - 1)
        own = counts.setdefault(entry.identity, np.zeros(SPEED_BINS, np.int64))
        own += np.bincount(known.astype(np.int64), minlength=SPEED_BINS)
    people = {who: np.trim_zeros(own, "b").tolist() for who, own in counts.items()}
    rows = [asdict(entry) for entry in entries]
    write_json(index_path(path), {"version": VERSION, "clips": rows, "speeds": people})


def write_index(folder: Path, facts: dict[str, Any]) -> None:
    """Write `index.json` over all finished shards, and whatever else is known of the footage.

    Shards that have no index of their own get one.
    """
    shards = []
    for path in sorted(folder.glob("*.tar")):
        if not index_path(path).exists():
            index_shard(path)
        rows = json.loads(index_path(path).read_text())["clips"]
        frames = sum(row["frames"] for row in rows)
        size = path.stat().st_size
        shards.append({"name": path.name, "clips": len(rows), "frames": frames, "bytes": size})
    write_json(folder / INDEX, {"version": VERSION, "shards": shards} | facts)


@dataclass(frozen=True)
class ShardIndex:
    """All samples of a folder of shards, and how fast the heads in them turn."""

    folder: Path
    entries: tuple[SampleEntry, ...]
    speeds: np.ndarray  # (SPEED_BINS,) number of frames in each bin of SPEED_BIN degrees per second

    @classmethod
    def load(cls, folder: Path, split: str = "train") -> Self:
        """Raises ValueError when the folder has no index, or no sample of that split."""
        if not (folder / INDEX).exists():
            raise ValueError(
                f"{folder} has no {INDEX}: expected a folder that `python -m emo_training prepare` finished"
            )
        index = json.loads((folder / INDEX).read_text())
        splits, listed = index.get("splits", {}), index["shards"]
        entries, speeds = [], np.zeros(SPEED_BINS, np.int64)
        for name in (shard["name"] for shard in listed):
            stored = json.loads(index_path(folder / name).read_text())
            rows = [_entry(row, splits) for row in stored["clips"]]
            mine = [entry for entry in rows if entry.split == split]
            entries += mine
            speeds += _sum_speeds(stored["speeds"], {entry.identity for entry in mine})
        if not entries:
            raise ValueError(
                f"{folder} has no sample of the split {split!r} in its {len(listed)} shards: {REMEDY}"
            )
        return cls(folder, tuple(entries), speeds)

    @cached_property
    def by_identity(self) -> dict[str, list[SampleEntry]]:
        people: dict[str, list[SampleEntry]] = {}
        for entry in self.entries:
            people.setdefault(entry.identity, []).append(entry)
        return people

    @property
    def hours(self) -> float:
        return sum(entry.frames for entry in self.entries) / FPS / 3600

    def read(self, entry: SampleEntry, landmarks: bool = False) -> Sample:
        """As `read_sample`."""
        return read_sample(self.folder, entry, landmarks)


def best_split(folder: Path) -> str:
    """What samples are shown of: the split that is not trained on, unless there is none."""
    index = json.loads((folder / INDEX).read_text())
    old = any(shard["name"].startswith("test") for shard in index["shards"])
    return "test" if old or "test" in index.get("splits", {}).values() else "train"


def _entry(row: dict[str, Any], splits: dict[str, str]) -> SampleEntry:
    places = {suffix: (place[0], place[1]) for suffix, place in row["places"].items()}
    return SampleEntry(**(row | {"places": places, "split": splits.get(row["identity"], row["split"])}))


def _sum_speeds(stored: Any, people: set[str]) -> np.ndarray:
    """The histogram of these people; one of version 1 is of a whole shard, and so of one split."""
    counts = np.zeros(SPEED_BINS, np.int64)
    known = [stored] if isinstance(stored, list) and people else [stored[who] for who in people]
    for own in known:
        counts[: len(own)] += np.array(own, np.int64)
    return counts
