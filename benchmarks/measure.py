"""Runs the real command line in a process of its own and says what it took."""

import os
import platform
import subprocess
import sys
import tempfile
import time
import wave
from dataclasses import dataclass
from pathlib import Path

# This process must stay small and never import torch: on Linux a child starts with its parent's peak memory.

ROOT = Path(__file__).parents[1]
MAXRSS_UNIT = 1 if sys.platform == "darwin" else 1024  # bytes
MIB = 2**20


@dataclass(frozen=True)
class Taken:
    """Wall time from start to end of the process, start-up included, and its peak resident memory."""

    seconds: float
    peak_mib: float


def animate(portrait: Path, speech: Path, seconds: float, options: list[str]) -> Taken:
    """`python -m emo_modules animate` on `seconds` of `speech`, a PCM WAV file repeated as needed.

    Raises RuntimeError when it fails; its messages go to stderr.
    """
    with tempfile.TemporaryDirectory() as folder:
        audio, output = Path(folder, "speech.wav"), Path(folder, "out.mp4")
        _write_speech(speech, seconds, audio)
        kept = ["--clips", str(Path(folder, "clips"))]  # none that an earlier measurement left
        return _run(["animate", str(portrait.resolve()), str(audio), "-o", str(output), *kept, *options])


def _run(arguments: list[str]) -> Taken:
    command = [sys.executable, "-m", "emo_modules", *arguments]
    start = time.monotonic()
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)  # of this child alone; getrusage has the maximum of all
    seconds = time.monotonic() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} ended with status {process.returncode}")
    return Taken(seconds, usage.ru_maxrss * MAXRSS_UNIT / MIB)


def _write_speech(source: Path, seconds: float, path: Path) -> None:
    with wave.open(str(source)) as file:
        parameters, samples = file.getparams(), file.readframes(file.getnframes())
    size = round(seconds * parameters.framerate) * parameters.nchannels * parameters.sampwidth
    with wave.open(str(path), "wb") as file:
        file.setparams(parameters)
        file.writeframes((samples * (size // len(samples) + 1))[:size])


def machine() -> dict[str, str | int]:
    """The CPU's name, the logical cores this process may use and the threads that torch takes by default."""
    count = "import torch; print(torch.get_num_threads())"
    threads = subprocess.run([sys.executable, "-c", count], capture_output=True, text=True, check=True).stdout
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return {"cpu": _cpu_name(), "cores": usable, "torch_threads": int(threads)}


def _cpu_name() -> str:
    info = Path("/proc/cpuinfo")  # platform.processor() is empty on most Linux systems
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
