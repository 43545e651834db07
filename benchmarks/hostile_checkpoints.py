"""What damaged, absurd and malicious checkpoints cost: time, memory, and the sentence that answers each.

    python -m benchmarks.hostile_checkpoints [--json FILE]

The files are made of the built-in demo model by tests/hostile.py. Each is loaded in its own process, forked
from one that has everything imported, so what is measured is the file's doing: seconds, and the most resident
memory above what the process had. Fails when a file takes more than 3 s or 500 MB, or is refused without its
name. Linux only.
"""

import argparse
import json
import logging
import multiprocessing
import re
import sys
import tempfile
import time
from contextlib import chdir
from dataclasses import asdict, dataclass
from pathlib import Path

from emo_modules.checkpoints.store import DEMO_CHECKPOINT, load_checkpoint, save_checkpoint
from tests.hostile import CASES, Case

MAX_SECONDS, MAX_BYTES = 3.0, 500 * 10**6
GOOD = "the good one"
NAMED = ("/x", "/net.pth")  # what a sentence begins with, without the folder


@dataclass(frozen=True)
class Found:
    name: str
    seconds: float
    peak: int  # bytes above the idle process
    error: str  # its class
    sentence: str

    @property
    def fails(self) -> bool:
        named = self.error == "ValueError" and self.sentence.startswith(NAMED)
        return self.seconds > MAX_SECONDS or self.peak > MAX_BYTES or not (named or self.name == GOOD)


def resident(field: str) -> int:
    """Bytes: VmRSS, or VmHWM since the peak was last reset."""
    (kilobytes,) = re.findall(rf"{field}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(kilobytes) * 1024


def load(name: str, path: Path) -> Found:
    """In a fresh process."""
    Path("/proc/self/clear_refs").write_text("5")  # forget the peak of the process this one was forked from
    before, start = resident("VmRSS"), time.perf_counter()
    error = sentence = ""
    try:
        load_checkpoint(path)
    except Exception as caught:  # whatever it is, it is what we want to know
        error, sentence = type(caught).__name__, str(caught).replace(str(path.parent), "")
    return Found(name, time.perf_counter() - start, resident("VmHWM") - before, error, sentence)


def in_own_process(name: str, case: Case | None, good: bytes) -> Found:
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        path = (case or Case(lambda whole: whole, "")).write(Path(folder), good)
        with multiprocessing.get_context("fork").Pool(1) as pool:
            found = pool.apply(load, (name, path))
        if Path("it ran").exists():
            raise SystemExit(f"{name}: code in the file was run")
    return found


def one_file() -> bytes:
    """The demo model without pieces; reading it also imports everything that a load needs."""
    loaded = load_checkpoint(DEMO_CHECKPOINT)
    assert loaded.model and loaded.vae and loaded.audio_encoder  # the demo model is whole
    parts = dict(loaded.model.named_children()) | {"vae": loaded.vae, "audio_encoder": loaded.audio_encoder}
    with tempfile.TemporaryDirectory() as folder:
        return save_checkpoint(Path(folder) / "good.safetensors", loaded.config, parts)[0].read_bytes()


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path, help="where the figures go")
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    good = one_file()
    found = [in_own_process(name, case, good) for name, case in {GOOD: None, **CASES}.items()]
    for row in found:
        mark = "FAILS" if row.fails else "     "
        sentence = row.sentence.replace("\n", " ")[:110] or "loaded"
        print(f"{mark} {row.seconds:6.3f} s {row.peak / 1e6:7.1f} MB  {row.name}: {row.error} {sentence}")
    slowest, largest = max(found, key=lambda row: row.seconds), max(found, key=lambda row: row.peak)
    print(f"{len(found)} files; slowest {slowest.seconds:.2f} s ({slowest.name}), ", end="")
    print(f"largest {largest.peak / 1e6:.0f} MB ({largest.name})")
    if options.json:
        options.json.write_text(json.dumps([asdict(row) for row in found], indent=1))
    return int(any(row.fails for row in found))


if __name__ == "__main__":
    sys.exit(main())
