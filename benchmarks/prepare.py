"""Films rendered people who speak, with planted faults, prepares that, and compares with what is true.

`python -m benchmarks.prepare --out DIR`: footage, truth.json and shards lie in DIR afterwards; a report as
JSON goes to stdout. With --hd-seconds a 1920x1080 film of that length is timed on its own.
"""

import argparse
import json
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from benchmarks.measure import machine
from emo_people.acting.face import Pose
from emo_people.acting.performance import Performance, perform
from emo_people.filming.seeds import HELD_OUT
from emo_people.filming.speakers import FPS, random_head_speed, speak
from emo_people.networks import syncnet
from emo_people.people.person import Person, random_person
from emo_people.rendering.context import drawing_processes
from emo_people.rendering.framing import Framing
from emo_people.rendering.studio import own_studio
from emo_people.speech.synthesis import SAMPLE_RATE, Speech
from emo_training.footage.config import PrepareConfig
from emo_training.footage.engine import Engine, prepare_footage
from emo_training.footage.shards import Sample, read_samples

SIDE = 256
FIRST = HELD_OUT + 500_000  # people whom no network was trained on
LAB_HOURS = 250
MACHINES = (1, 8, 64)
CORES = 32  # of one such machine


@dataclass(frozen=True)
class Film:
    """What is in one file and what must come out: so many samples, or a drop for `cause`, or both."""

    name: str
    samples: int
    cause: str = ""
    late: int = 0  # frames by which the sound was moved
    speeds: tuple[float, ...] = field(default=(), repr=False)  # degrees per second at 25 fps


@dataclass(frozen=True)
class Take:
    """A person speaking: pictures by time, and sound."""

    person: Person
    speech: Speech
    performance: Performance

    @property
    def count(self) -> int:
        return len(self.performance.speed)

    def picture(self, k: int, side: int = SIDE) -> np.ndarray:
        moment = self.performance.expression(k), self.performance.pose(k)
        return own_studio().photograph(self.person, *moment, Framing(side, side), k)

    def pictures(self, side: int = SIDE) -> Iterator[np.ndarray]:
        return (self.picture(k, side) for k in range(self.count))

    def sound(self) -> np.ndarray:
        samples = round(self.count * SAMPLE_RATE / self.performance.fps)
        return np.pad(self.speech.waveform, (0, samples))[:samples].astype(np.float32)

    def speeds(self) -> tuple[float, ...]:
        times = np.arange(round(self.count * 25 / self.performance.fps)) / 25
        rows = np.interp(times, np.arange(self.count) / self.performance.fps, self.performance.speed)
        return tuple(np.round(rows.astype(float), 3).tolist())


def take(seed: int, seconds: float, fps: int = 25) -> Take:
    speech = speak(FIRST + seed, round(seconds * FPS), held_out=True)
    speed = max(4.0, random_head_speed(np.random.default_rng(FIRST + seed)))
    acted = perform(speech, round(seconds * fps), fps, speed, Pose(), seed)
    return Take(random_person(FIRST + seed), speech, acted)


@dataclass(frozen=True)
class Cast:
    """Everybody who is filmed: all is said before anything is drawn, see emo_people/rendering/stage.py."""

    good: tuple[tuple[str, Take], ...]  # kinds, and who acts them
    bad: tuple[Take, Take, Take]
    wide: Take | None


def cast(good: int, seed: int, wide_seconds: float) -> Cast:
    rng = np.random.default_rng(seed)
    kinds = [("plain", "late", "vfr", "rate30", "turned")[k % 5] for k in range(good)]
    return Cast(
        tuple(
            (kind, take(seed + k, rng.uniform(4.0, 7.0), {"vfr": 50, "rate30": 30}.get(kind, 25)))
            for k, kind in enumerate(kinds)
        ),
        (take(seed + 900, 5.0), take(seed + 901, 5.0), take(seed + 902, 1.6)),
        take(990, wide_seconds) if wide_seconds else None,
    )


def shift(sound: np.ndarray, late: int) -> np.ndarray:
    """The sound `late` frames later, silence before."""
    moved = np.roll(sound, late * 640)
    if late > 0:
        moved[: late * 640] = 0
    elif late < 0:
        moved[late * 640 :] = 0
    return moved


def write_film(
    path: Path, pictures: Iterator[np.ndarray], sound: np.ndarray | None, fps: int = 25,
    times: np.ndarray | None = None, rotation: int = 0,
) -> None:  # fmt: skip
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=fps, options={"crf": "16", "preset": "veryfast"})
        video.pix_fmt = "yuv420p"
        audio = None if sound is None else container.add_stream("aac", rate=SAMPLE_RATE, layout="mono")
        video.codec_context.time_base = Fraction(1, 12800)
        for k, picture in enumerate(pictures):
            if k == 0:
                video.height, video.width = picture.shape[:2]
                if rotation:
                    video.set_display_rotation(rotation)
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            seconds = k / fps if times is None else times[k]
            frame.pts, frame.time_base = round(seconds * 12800), Fraction(1, 12800)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        if audio is not None and sound is not None:
            whole = av.AudioFrame.from_ndarray(sound[None], format="fltp", layout="mono")
            whole.sample_rate, whole.pts, whole.time_base = SAMPLE_RATE, 0, Fraction(1, SAMPLE_RATE)
            container.mux(audio.encode(whole))
            container.mux(audio.encode(None))


def good_films(folder: Path, cast: Cast, seed: int) -> Iterator[Film]:
    """Good ones: as they are, with sound up to 5 frames off, at other frame rates, turned."""
    rng = np.random.default_rng(seed)
    for k, (kind, one) in enumerate(cast.good):
        late = int(rng.choice([-5, -3, -2, 2, 3, 5])) if kind == "late" else 0
        name = f"good{k:02d}/{kind}.{'mkv' if k % 2 else 'mp4'}"
        pictures, times, rotation = one.pictures(), None, 0
        if kind == "vfr":
            keep = np.flatnonzero(rng.random(one.count) < 0.6)
            pictures, times = (one.picture(int(i)) for i in keep), keep / 50
        if kind == "turned":
            pictures, rotation, name = (np.rot90(p, -1) for p in pictures), 90, f"good{k:02d}/{kind}.mp4"
        write_film(
            folder / name, pictures, shift(one.sound(), late), round(one.performance.fps), times, rotation
        )
        yield Film(name, 1, late=late, speeds=one.speeds())


def _side_by_side(left: Take, right: Take) -> Iterator[np.ndarray]:
    return (np.concatenate(pair, 1) for pair in zip(left.pictures(), right.pictures(), strict=True))


def _tiny(one: Take) -> Iterator[np.ndarray]:
    for picture in one.pictures(48):
        canvas = np.full((SIDE, SIDE, 3), 90, np.uint8)
        canvas[100:148, 100:148] = picture
        yield canvas


def _blur(one: Take) -> Iterator[np.ndarray]:
    import cv2

    return (cv2.GaussianBlur(picture, (0, 0), 7) for picture in one.pictures())


def bad_films(folder: Path, cast: Cast) -> Iterator[Film]:
    one, other, short = cast.bad

    def film(name: str, pictures: Iterator[np.ndarray], sound: np.ndarray | None, cause: str) -> Film:
        write_film(folder / name, pictures, sound)
        return Film(name, 0, cause)

    yield film("two_faces.mp4", _side_by_side(one, other), one.sound(), "several faces")
    yield film("far_out_of_sync.mp4", one.pictures(), shift(one.sound(), 12), "out of sync")
    yield film("other_sound.mkv", one.pictures(), other.sound(), "lips do not match")
    yield film("silent.mp4", one.pictures(), 0 * one.sound(), "silent")
    yield film("no_sound.mp4", one.pictures(), None, "no sound")
    yield film("short.mp4", short.pictures(), short.sound(), "too short")
    yield film("tiny.mp4", _tiny(one), one.sound(), "face too small|no face")
    yield film("blurred.mp4", _blur(one), one.sound(), "blurred|no face")
    yield film("dark.mp4", (p // 12 for p in one.pictures()), one.sound(), "badly exposed|flat|no face")
    yield film("nobody.mp4", (np.full_like(p, 90) for p in one.pictures()), one.sound(), "no face")
    yield from _broken_films(folder, one, other)


def _broken_films(folder: Path, one: Take, other: Take) -> Iterator[Film]:
    cut = (frame for part in (one, other) for frame in part.pictures())
    write_film(folder / "cut.mp4", cut, np.concatenate([one.sound(), other.sound()]))
    yield Film("cut.mp4", 2, speeds=one.speeds() + other.speeds())
    write_film(folder / "truncated.mkv", one.pictures(), one.sound())
    whole = (folder / "truncated.mkv").read_bytes()
    (folder / "truncated.mkv").write_bytes(whole[: len(whole) * 3 // 4])
    yield Film("truncated.mkv", 1, "truncated", speeds=one.speeds())
    write_film(folder / "headless.mp4", one.pictures(), one.sound())
    whole = (folder / "headless.mp4").read_bytes()
    (folder / "headless.mp4").write_bytes(whole[: len(whole) // 2])
    yield Film("headless.mp4", 0, "not a video")
    for name, content in {
        "words.mp4": b"words\n" * 500,
        "notes.txt": b"notes\n" * 50,
        "empty.mov": b"",
    }.items():
        (folder / name).write_bytes(content)
        yield Film(name, 0, "not a video")


def compare(film: Film, samples: list[Sample], drops: list[dict[str, Any]]) -> dict[str, Any]:
    """What went wrong with one film, if anything."""
    mine = [sample for sample in samples if sample.facts["source"] == film.name]
    causes = [d["reason"].split(":")[0] for d in drops if d["source"] == film.name]
    result: dict[str, Any] = {"samples": len(mine), "expected": film.samples, "causes": causes}
    result["fault_found"] = not film.cause or any(cause in film.cause.split("|") for cause in causes)
    if film.samples and mine:
        offsets = [s.facts["sync"]["offset"] - film.late for s in mine if s.facts["sync"]]
        result["offset_error"] = max(offsets, key=abs, default=None)
        errors = [_speed_error(sample, film) for sample in mine]
        result["speed_error"] = max(errors, key=abs)
        result["seconds_kept"] = sum(s.facts["frames"] for s in mine) / 25
    return result


def _speed_error(sample: Sample, film: Film) -> float:
    """Relative, of the sample's mean speed."""
    first = round(sample.facts["start"] * 25)
    truth = float(np.mean(film.speeds[first : first + sample.facts["frames"]]))
    return round(sample.facts["mean_speed"] / truth - 1, 4)


def report(films: list[Film], shards: Path, seconds: float, workers: int) -> dict[str, Any]:
    samples = [sample for path in sorted(shards.glob("*.tar")) for sample in read_samples(path)]
    drops = [json.loads(line) for line in (shards / "dropped.jsonl").read_text().splitlines()]
    found = {film.name: compare(film, samples, drops) for film in films}
    kept = [result for result in found.values() if "speed_error" in result]
    hours = json.loads((shards / "index.json").read_text())["summary"]["hours_in"]
    return {
        "films": found,
        "faults_missed": [film.name for film in films if not found[film.name]["fault_found"]],
        "samples_lost": [film.name for film in films if found[film.name]["samples"] != film.samples],
        "largest_offset_error_frames": max((abs(r["offset_error"]) for r in kept), default=None),
        "largest_speed_error": max((abs(r["speed_error"]) for r in kept), default=None),
        "rate": rate(hours, seconds, workers) | {"picture": f"{SIDE}x{SIDE}"},
    }


def rate(hours: float, seconds: float, workers: int) -> dict[str, Any]:
    """Hours of footage per core-hour, and days for a lab's footage."""
    per_core = hours / (seconds / 3600 * workers)
    days = {f"{m} of {CORES} cores": round(LAB_HOURS / per_core / CORES / m / 24, 3) for m in MACHINES}
    return {
        "footage_hours": hours, "seconds": round(seconds, 1), "workers": workers,
        "hours_per_core_hour": round(per_core, 3), f"days_for_{LAB_HOURS}_h": days,
    }  # fmt: skip


def seconds_of(work: Callable[[], Any]) -> float:
    start = time.monotonic()
    work()
    return time.monotonic() - start


def write_films(folder: Path, cast: Cast, seed: int) -> list[Film]:
    """In a process of its own, as those that prepare must not fork from one that holds a GL context."""
    footage = folder / "footage"
    films = [*good_films(footage, cast, seed), *bad_films(footage, cast)]
    if cast.wide is not None:
        write_film(folder / "hd" / "film.mp4", _wide(cast.wide), cast.wide.sound())
    return films


def _wide(one: Take) -> Iterator[np.ndarray]:
    import cv2

    for picture in one.pictures():
        canvas = np.full((1080, 1920, 3), 90, np.uint8)
        canvas[60:1020, 480:1440] = cv2.resize(picture, (960, 960), interpolation=cv2.INTER_CUBIC)
        yield canvas


def high_definition(folder: Path, seconds: float, config: PrepareConfig) -> dict[str, Any]:
    """The rate for one 1920x1080 film, one process, its start included."""
    spent = seconds_of(
        lambda: prepare_footage(folder / "hd", folder / "hd_shards", config, Engine("local", 1))
    )
    return rate(seconds / 3600, spent, 1) | {"picture": "1920x1080"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--good", type=int, default=10, help="number of good films")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--hd-seconds", type=float, default=0)
    options = parser.parse_args()
    footage, shards = options.out / "footage", options.out / "shards"
    for folder in ("footage", "shards", "hd", "hd_shards"):
        shutil.rmtree(options.out / folder, ignore_errors=True)
    with drawing_processes(1) as artists:
        people = cast(options.good, options.seed, options.hd_seconds)
        films = artists.submit(write_films, options.out, people, options.seed).result()
    (options.out / "truth.json").write_text(json.dumps([asdict(film) for film in films], indent=1))
    print(f"drew {len(films)} films", file=sys.stderr)
    config = PrepareConfig(syncnet=str(syncnet.WEIGHTS), smallest_face=64)
    spent = seconds_of(lambda: prepare_footage(footage, shards, config, Engine("local", options.workers)))
    result = {"machine": machine()} | report(films, shards, spent, options.workers)
    if options.hd_seconds:
        result["high_definition"] = high_definition(options.out, options.hd_seconds, config)
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
