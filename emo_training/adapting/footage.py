"""The videos of one person: prepared, and refused where no person can be learned from them."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from emo_modules.config import EMOConfig
from emo_modules.writing.partial import write_text

from ..footage.advice import REMEDIES, say_time
from ..footage.config import PrepareConfig
from ..footage.decode import decode_pictures
from ..footage.engine import Engine, prepare_footage
from ..footage.shards import SampleEntry, ShardIndex
from ..perception.face_identity import IdentityEmbedder

LEAST, ENOUGH = 60.0, 180.0  # seconds; below the one nobody is learned, below the other little of them
SMALLEST_FACE = 0.25  # of the model's picture: a smaller face would be learned blurred
LOOKS = 5  # frames of a sample that say who is seen
# Cosine of two samples' faces: 0.7 and more of one person in other light, 0.1 to 0.3 of two people
SAME_PERSON = 0.45
WITH_SOUND = "give films with the sound of what is said"
OWN_REMEDIES = REMEDIES | {"no sound": WITH_SOUND, "silent": WITH_SOUND}  # there is no training without it


def gather(videos: Sequence[Path], folder: Path, made: Sequence[Path], who: str, trained: bool) -> None:
    """Writes a manifest of the videos, which stay where they are. The folders that were `made` of others go,
    unless these were trained on: then ValueError. Raises FileNotFoundError for a video that is not there."""
    for video in videos:
        if not video.is_file():
            raise FileNotFoundError(f"{video}: no such file; give videos of one person who speaks")
    rows = [{"file": video.resolve().as_posix(), "identity": who, "split": "train"} for video in videos]
    text = "".join(json.dumps(row) + "\n" for row in sorted(rows, key=lambda row: row["file"]))
    path = folder / "manifest.jsonl"
    if path.exists() and path.read_text(encoding="utf-8") != text:
        if trained:
            raise ValueError(
                f"{folder.parent} was begun with other videos: give the same ones, or name another --out"
            )
        for stale in made:
            shutil.rmtree(stale, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    write_text(path, text)


def prepare(footage: Path, shards: Path, config: EMOConfig, analyzer: str, workers: int) -> dict[str, Any]:
    """Cuts and reads what `gather` listed, as large as the model's pictures; returns the summary."""
    side = max(config.width, config.height)
    settings = PrepareConfig(analyzer=analyzer, size=side, smallest_face=SMALLEST_FACE * side, test_share=0.0)
    summary = prepare_footage(footage, shards, settings, Engine(workers=workers))
    assert summary is not None  # which only a share of the sources has not
    return summary


def check_length(summary: dict[str, Any]) -> str | None:
    """What to say of little footage. Raises ValueError for too little, with what cost the most."""
    kept, causes = 3600 * summary["hours_out"], summary["dropped"]
    found = f"{kept:.0f} s in which one person is seen and heard speaking"
    if kept >= ENOUGH:
        return None
    if kept >= LEAST:
        return f"{found}: enough to try, three to five minutes are learned better"
    if not causes:
        raise ValueError(f"the videos have {found}, needed are {LEAST:.0f} s: give more of this person")
    worst = max(causes, key=lambda name: (causes[name]["hours"], causes[name]["spans"]))
    cause = worst.partition(": ")[2]
    remedy = OWN_REMEDIES.get(cause, "give more of this person").partition(", or lower --")[0]
    lost = say_time(causes[worst]["hours"])
    raise ValueError(
        f"the videos have {found}, needed are {LEAST:.0f} s; {lost} were left out because of {cause!r}: "
        f"{remedy}"
    )


def check_one_person(index: ShardIndex, embedder: IdentityEmbedder) -> None:
    """Raises ValueError that names two samples which show two people."""
    entries = index.entries
    vectors = np.stack([_who(index, entry, embedder) for entry in entries])
    likeness = vectors @ vectors.T
    middle = int(likeness.sum(1).argmax())
    other = int(likeness[middle].argmin())
    if likeness[middle, other] < SAME_PERSON:
        raise ValueError(
            f"the videos show two people, one {_place(index, entries[middle])} and another one "
            f"{_place(index, entries[other])}: give those of one person"
        )


def _who(index: ShardIndex, entry: SampleEntry, embedder: IdentityEmbedder) -> np.ndarray:
    """The mean direction (D,) of a sample's faces."""
    sample = index.read(entry, landmarks=True)
    known = np.arange(entry.frames)
    if sample.landmarks is not None:
        known = np.flatnonzero(np.isfinite(sample.landmarks).all((1, 2)))
    places = known[np.linspace(0, len(known) - 1, LOOKS).round().astype(int)]
    landmarks = None if sample.landmarks is None else sample.landmarks[places]
    pictures = decode_pictures(sample.video, places.tolist())
    mean: np.ndarray = embedder.embed(pictures, sample.arrays["boxes"][places], landmarks).mean(0)
    return mean / np.linalg.norm(mean)


def _place(index: ShardIndex, entry: SampleEntry) -> str:
    facts = index.read(entry).facts
    return f"at {facts['start']:.0f} s of {Path(facts['source']).name}"


def hold_out(index: ShardIndex) -> tuple[ShardIndex, SampleEntry]:
    """All samples but the last one, by which is seen what was learned."""
    return replace(index, entries=index.entries[:-1]), index.entries[-1]
