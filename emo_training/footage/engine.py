"""A folder of footage -> shards, by local processes or Ray, resuming where an earlier run was stopped."""

import errno
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from emo_modules.writing.errors import FULL_DISK
from emo_modules.writing.partial import remove_partials, write_json

from .advice import say_time
from .config import PrepareConfig
from .pack import is_packed, load_part, load_parts, pack, packing_has_begun, remove_part, write_summary
from .prepare import Part, load_tools, part_record, source_size, write_part
from .shards import ShardWriter
from .sources import find_sources, read_manifest
from .spans import Drop, Source
from .splits import assign_splits
from .workers import run_tasks

PARTS = "parts"
CONFIG = "config.json"
VERSION = 2  # of the parts
SPLITTING = {"test_share", "split_list"}  # settings that parts do not depend on


@dataclass(frozen=True)
class Engine:
    """How sources are spread: "local" processes, or the tasks of a "ray" cluster that shares the folders."""

    name: str = "local"
    workers: int = 2

    def __post_init__(self) -> None:
        if self.name not in ("local", "ray") or self.workers < 1:
            raise ValueError(
                f"engines are local and ray with at least 1 worker, got {self.name} with {self.workers}"
            )


def prepare_footage(
    footage: Path,
    shards: Path,
    config: PrepareConfig,
    engine: Engine | None = None,
    share: tuple[int, int] | None = None,
) -> dict[str, Any] | None:
    """Prepares every source and packs the shards; returns the summary.

    With share (i, n) only each n-th source is prepared, from the i-th, 0..n-1, and nothing is packed: None.
    Run again after a stop of any kind it goes on where it was. Raises ValueError for input that cannot be
    used as a whole and for shards of other footage or settings, OSError when the disk is full.
    """
    load_tools(config)  # says what is wrong with the weights before anything starts
    sources, parts = _begin(footage, shards, config)
    # says what is wrong with the list or manifest before anything starts
    assign_splits({source.name: source.identity for source in sources}, read_manifest(footage), config)
    mine = sources if share is None else _share(sources, *share)
    todo = [source for source in mine if not _is_done(source, parts)]
    if todo and packing_has_begun(shards):
        raise ValueError(
            f"{shards} already holds shards, and {len(todo)} files of {footage} are not in them as they are "
            f"now, such as {todo[0].name}: prepare new footage into a folder of its own"
        )
    with _disk_errors(shards):
        _run(todo, mine, config, parts, engine or Engine())
    return pack_footage(footage, shards, config) if share is None else None


def pack_footage(footage: Path, shards: Path, config: PrepareConfig) -> dict[str, Any]:
    """Packs parts, all of which must be there, and decides who is held out; returns the summary.

    Of shards that are packed only the index is written, with the split as it is asked for now. Raises as
    prepare_footage.
    """
    sources, parts = _begin(footage, shards, config)
    if not is_packed(shards):
        _pack_parts(sources, shards, parts, config.shard_size)
    packed = load_parts(parts)
    splits = assign_splits({part.source: part.identity for part in packed}, read_manifest(footage), config)
    with _disk_errors(shards):
        return write_summary(shards, packed, splits, _public(config))


def _pack_parts(sources: list[Source], shards: Path, parts: Path, shard_size: int) -> None:
    if not packing_has_begun(shards):
        missing = [source for source in sources if not _is_done(source, parts)]
        if missing:
            raise ValueError(
                f"{len(missing)} of {len(sources)} files are not prepared, such as {missing[0].name}: run "
                "their part of the array again, then --pack"
            )
        for path in sorted(parts.glob("*-????????.json")):
            if path.stem not in {source.key for source in sources}:
                remove_part(parts, path.stem)  # its file was taken away, perhaps because someone asked for it
    with _disk_errors(shards):
        pack(shards, parts, load_parts(parts), shard_size)
    for folder in (shards, parts):
        remove_partials(folder)


def _begin(footage: Path, shards: Path, config: PrepareConfig) -> tuple[list[Source], Path]:
    """The sources and the folder of parts, which keeps the settings that made them."""
    sources = find_sources(footage, shards)
    parts = shards / PARTS
    parts.mkdir(parents=True, exist_ok=True)
    path = parts / CONFIG
    wanted = {"version": VERSION} | {k: v for k, v in asdict(config).items() if k not in SPLITTING}
    if not path.exists():
        write_json(path, wanted)
    found = json.loads(path.read_text(encoding="utf-8"))
    names = (wanted.keys() | found.keys()) - SPLITTING
    other = sorted(name for name in names if wanted.get(name) != found.get(name))
    if other:
        difference = ", ".join(f"{name} {found.get(name)} (now {wanted.get(name)})" for name in other)
        raise ValueError(f"{shards} was begun with {difference}: use the same settings or another folder")
    return sources, parts


def _public(config: PrepareConfig) -> dict[str, Any]:
    """The settings without paths of this machine."""
    kind, _, path = config.analyzer.partition(":")
    analyzer = f"{kind}:{Path(path).name}" if path else kind
    return asdict(config) | {
        "analyzer": analyzer,
        "syncnet": config.syncnet and Path(config.syncnet).name,
        "split_list": config.split_list and Path(config.split_list).name,
    }


def _share(sources: list[Source], index: int, count: int) -> list[Source]:
    if not 0 <= index < count:
        raise ValueError(f"part {index}/{count}: parts count from 0 to {count - 1}")
    return sources[index::count]


def _is_done(source: Source, parts: Path) -> bool:
    path = part_record(parts, source.key)
    if not path.exists():
        return False
    part = load_part(path)
    return (part.bytes, part.identity) == (source_size(source), source.identity)


@contextmanager
def _disk_errors(shards: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in FULL_DISK:
            raise
        raise OSError(
            errno.ENOSPC,
            f"the disk is full ({os.strerror(error.errno)}); what is finished is kept. Free space for "
            f"{shards}, then run the same command again: it goes on from there",
        ) from error


def _run(
    todo: Sequence[Source], mine: Sequence[Source], config: PrepareConfig, parts: Path, engine: Engine
) -> None:
    from tqdm import tqdm

    sizes = {source.key: source_size(source) for source in mine}
    done = sum(sizes.values()) - sum(sizes[source.key] for source in todo)
    if engine.name == "ray":
        prepared = _ray(todo, config, parts, engine.workers)
    else:
        work = partial(write_part, config=config, parts=parts)
        crashed = partial(_write_crashed, parts=parts)
        prepared = run_tasks(work, todo, engine.workers, crashed)
    hours = 0.0
    # Bytes, because a file's length in time is not known before it is opened.
    with tqdm(total=sum(sizes.values()), initial=done, unit="B", unit_scale=True, desc="prepare") as bar:
        for part in prepared:
            hours += part.seconds / 3600
            bar.update(sizes[part.key])
            rate = hours / max(bar.format_dict["elapsed"] / 3600, 1e-9)
            bar.set_postfix_str(f"{say_time(hours)} of footage, {rate:.2f} of it in the same time")


def _write_crashed(source: Source, what: str, parts: Path) -> Part:
    """The part of a file that no process survives."""
    drop = asdict(Drop(source.name, 0.0, 0.0, "read", f"corrupt: {what}"))
    part = Part(source.key, source.name, source_size(source), source.identity, drops=(drop,))
    with ShardWriter(parts / f"{source.key}.tar"):
        pass
    write_json(part_record(parts, source.key), asdict(part))
    return part


def _ray(todo: Sequence[Source], config: PrepareConfig, parts: Path, workers: int) -> Iterator[Part]:
    """Ray Data, one task for each source, at most `workers` at a time; all nodes share the folders."""
    import ray

    if not todo:
        return
    places = [{"place": place} for place in range(len(todo))]
    rows = ray.data.from_items(places, override_num_blocks=len(todo))
    work = partial(_ray_row, sources=list(todo), config=config, parts=parts.resolve())
    for row in rows.map(work, num_cpus=1, concurrency=workers).iter_rows():
        if row["error"]:
            raise OSError(row["errno"], row["error"])
        yield load_part(part_record(parts, row["key"]))


def _ray_row(
    row: dict[str, Any], sources: list[Source], config: PrepareConfig, parts: Path
) -> dict[str, Any]:
    """Errors travel as values: Ray would run the task again, and wrap them beyond recognition."""
    source = replace(sources[row["place"]], path=sources[row["place"]].path.resolve())
    try:
        part = write_part(source, config, parts)
    except OSError as error:
        return {"key": source.key, "error": error.strerror or str(error), "errno": error.errno or 0}
    return {"key": part.key, "error": "", "errno": 0}
