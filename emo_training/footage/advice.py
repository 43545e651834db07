"""What to do about footage that gives little or nothing, in one sentence each."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .shards import INDEX, REMEDY, best_split

LITTLE = 1.0  # hours; stages of training take hundreds, one person's adaptation minutes
# By the cause of a drop. What is missing here says itself what to do.
REMEDIES = {
    "not a video": "give files of moving pictures with sound; photographs and sound files are none",
    "no face": "give footage that shows one person from the front or the side",
    "several faces": "cut or crop the films so that one person is seen at a time",
    "too short": "give longer shots, or lower --min-seconds",
    "face too small": "give larger faces or sharper films, or lower --smallest-face",
    "face leaves the picture": "give footage in which the whole face stays visible",
    "head moves too far": "give calmer footage, or cut it into shorter shots",
    "frame rate too low": "give films of 15 pictures a second or more; slides and photographs are none",
    "no sound": "--without-sound prepares pictures alone, for the first stage",
    "silent": "--without-sound prepares pictures alone, for the first stage",
    "lips do not move": "give films of people who are seen speaking, not photographs with a voice",
    "lips do not match": "give films with their own sound, or lower --min-confidence",
    "out of sync": "mend the sound's delay, or raise --max-offset",
    "blurred": "give sharper films, or lower --min-sharpness",
    "badly exposed": "give films whose faces are neither black nor white",
    "no consent": "the manifest leaves these files out",
}


def explain_nothing(shards: Path, summary: dict[str, Any]) -> str:
    """Why no sample came out, by the cause that cost the most, and what to do."""
    worst = max(summary["dropped"].items(), key=lambda drop: (drop[1]["hours"], drop[1]["spans"]))[0]
    cause = worst.partition(": ")[2]
    remedy = REMEDIES.get(cause, "dropped.jsonl says where")
    return (
        f"{shards}: no sample came out of {summary['sources']} files, mostly because of {cause!r}: {remedy}"
    )


def warn(shards: Path, summary: dict[str, Any]) -> Iterator[str]:
    """What whoever prepared this footage should know before training on it."""
    if unknown := summary["not_in_footage"]:
        yield f"{len(unknown)} names of the list are not in the footage, such as {unknown[0]}"
    if warning := warn_of_split(shards):
        yield warning
    if summary["hours_out"] < LITTLE:
        yield (
            f"{say_time(summary['hours_out'])} of footage is enough to try the commands or to adapt a "
            "trained model to these people, not to train one: the paper has 250 h"
        )


def warn_of_split(shards: Path) -> str | None:
    """What to do where everybody in a folder of shards is trained on; None where somebody is held out."""
    if best_split(shards) == "test":
        return None
    people = json.loads((shards / INDEX).read_text(encoding="utf-8")).get("splits", {})
    if len(people) == 1:
        (person,) = people
        return (
            f"all of {shards} shows {person}, so that nobody can be held out: what is measured on it says "
            "nothing of other people"
        )
    return f"nobody in {shards} is held out, so that nothing can be measured on people never seen: {REMEDY}"


def say_time(hours: float) -> str:
    """In the unit that suits it: 2.5 s, 7.4 min, 12.3 h."""
    if hours >= 1:
        return f"{hours:.1f} h"
    return f"{hours * 60:.1f} min" if hours * 60 >= 1 else f"{hours * 3600:.1f} s"
