"""Parts of single sources -> shards of equal size, the index and the list of drops; resumes anywhere."""

import json
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from emo_modules.writing.partial import whole_file

from ..perception.rates import FPS
from .prepare import Part, part_record, part_tar
from .shards import INDEX, ShardWriter, read_members, scan_shard, write_index
from .sources import SPLITS
from .splits import Splits

DROPPED = "dropped.jsonl"
Plan = dict[str, list[tuple[str, list[str]]]]  # shard -> its parts' keys and their samples' keys, in order


def load_part(path: Path) -> Part:
    content = json.loads(path.read_text(encoding="utf-8"))
    return Part(**content | {name: tuple(content[name]) for name in ("clips", "drops")})


def plan_shards(parts: Iterable[Part], shard_size: int) -> Plan:
    """Samples in the order of their keys, a new shard as soon as one has `shard_size` bytes.

    Shards hold people of both splits, so that whoever changes the split need not move a sample.
    """
    plan: Plan = {}
    number = filled = 0
    for part in sorted(parts, key=lambda part: part.key):
        for sample in part.clips:
            if filled >= shard_size:
                number, filled = number + 1, 0
            shard = plan.setdefault(f"shard-{number:06d}.tar", [])
            if not shard or shard[-1][0] != part.key:
                shard.append((part.key, []))
            shard[-1][1].append(sample["key"])
            filled += sample["bytes"]
    return plan


def packing_has_begun(shards: Path) -> bool:
    return any(shards.glob("*.tar"))


def load_parts(parts_folder: Path) -> list[Part]:
    return [load_part(path) for path in sorted(parts_folder.glob("*-????????.json"))]


def pack(shards: Path, parts_folder: Path, parts: list[Part], shard_size: int) -> None:
    """Writes all shards from the parts, removing those whose samples lie in finished shards; then the drops.

    The bytes depend on the parts alone, not on what an earlier run had done.
    """
    plan = plan_shards(parts, shard_size)
    last = {key: shard for shard, wanted in plan.items() for key, _ in wanted}
    for shard, wanted in plan.items():
        if not (shards / shard).exists():
            _write_shard(shards / shard, wanted, parts_folder)
        for key, _ in wanted:
            if last[key] == shard:
                part_tar(parts_folder, key).unlink(missing_ok=True)
    for part in parts:
        if not part.clips:
            part_tar(parts_folder, part.key).unlink(missing_ok=True)
    _write_drops(shards / DROPPED, parts)


def write_summary(shards: Path, parts: list[Part], splits: Splits, config: dict[str, Any]) -> dict[str, Any]:
    """Writes the index of packed shards, who is in which split among it; returns the summary."""
    shown = {part.identity for part in parts if part.clips}
    people = {who: split for who, split in splits.people.items() if who in shown}
    counts = {split: list(people.values()).count(split) for split in SPLITS}
    summary = summarize(parts) | {"people": counts, "not_in_footage": list(splits.unknown)}
    write_index(shards, {"summary": summary, "config": config, "splits": people})
    return summary


def _write_shard(path: Path, wanted: list[tuple[str, list[str]]], parts_folder: Path) -> None:
    with ShardWriter(path) as writer:
        for key, samples in wanted:
            entries = {entry.key: entry for entry in scan_shard(part_tar(parts_folder, key))}
            for sample in samples:
                entry = entries[sample]
                writer.write_members(sample, read_members(parts_folder, entry, entry.places))


def _write_drops(path: Path, parts: list[Part]) -> None:
    with whole_file(path) as partial, partial.open("w", encoding="utf-8") as file:
        for part in parts:
            file.writelines(json.dumps(drop, sort_keys=True) + "\n" for drop in part.drops)


def summarize(parts: list[Part]) -> dict[str, Any]:
    """Sources, samples and hours in, out and dropped; drops by stage and cause."""
    dropped: dict[str, dict[str, float]] = defaultdict(lambda: {"spans": 0, "hours": 0.0})
    for drop in (drop for part in parts for drop in part.drops):
        found = dropped[f"{drop['stage']}: {drop['reason'].split(':')[0]}"]
        found["spans"] += 1
        found["hours"] = round(found["hours"] + (drop["stop"] - drop["start"]) / 3600, 6)
    kept = sum(sample["frames"] for part in parts for sample in part.clips) / FPS / 3600
    return {
        "sources": len(parts),
        "clips": sum(len(part.clips) for part in parts),
        "hours_in": round(sum(part.seconds for part in parts) / 3600, 6),
        "hours_out": round(kept, 6),
        "dropped": dict(sorted(dropped.items())),
    }


def is_packed(shards: Path) -> bool:
    return (shards / INDEX).exists()


def remove_part(parts_folder: Path, key: str) -> None:
    """Removes a part, its record first, so that a part without record is never taken for whole."""
    part_record(parts_folder, key).unlink(missing_ok=True)
    part_tar(parts_folder, key).unlink(missing_ok=True)
