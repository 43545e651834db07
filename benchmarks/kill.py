"""Whether a command that is killed at random moments ends with the same files as one that is not.

    python -m benchmarks.kill --work DIR --kills 10 --compare '*.tar' '*.json' -- \\
        python -m emo_training prepare FOOTAGE {} --analyzer tracker:emo_people/networks/tracker.safetensors

`{}` stands for the folder that the command writes. It runs once undisturbed, then again and again in another
folder, killed with SIGKILL after a random share of the first run's time, until it ends; ends are compared.
"""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path


def launch(command: list[str], folder: Path, log: Path) -> subprocess.Popen[bytes]:
    given = [part.replace("{}", str(folder)) for part in command]
    with log.open("ab") as out:
        return subprocess.Popen(given, stdout=out, stderr=out, start_new_session=True)


def run_whole(command: list[str], folder: Path, log: Path) -> float:
    """Seconds it took. Raises RuntimeError when it fails."""
    start = time.monotonic()
    if launch(command, folder, log).wait():
        raise RuntimeError(f"the command failed: see {log}")
    return time.monotonic() - start


def run_killed(command: list[str], folder: Path, log: Path, after: float) -> bool:
    """Whether it was still running after so many seconds, and was killed with all its processes."""
    process = launch(command, folder, log)
    try:
        process.wait(timeout=after)
        return False
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return True


def differences(one: Path, two: Path, patterns: list[str]) -> list[str]:
    """Files of these names that are not the same, or only in one of the folders."""
    names = set(find_files(one, patterns)) | set(find_files(two, patterns))
    return [str(name) for name in sorted(names) if not same(one / name, two / name)]


def find_files(folder: Path, patterns: list[str]) -> list[Path]:
    paths = (path for pattern in patterns for path in folder.glob(pattern))
    return [path.relative_to(folder) for path in paths if path.is_file()]


def same(one: Path, two: Path) -> bool:
    return one.exists() and two.exists() and one.read_bytes() == two.read_bytes()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--compare", nargs="+", required=True, help="names of files, with wildcards")
    parser.add_argument("command", nargs="+")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    whole, killed, log = (options.work / name for name in ("whole", "killed", "log.txt"))
    seconds = run_whole(options.command, whole, log)
    chance = random.Random(options.seed)
    moments: list[float] = []
    different: list[str] = []
    ended = 0
    while len(moments) < options.kills:
        after = chance.uniform(0, 0.6 * seconds)
        if run_killed(options.command, killed, log, after):
            moments.append(round(after, 2))
        else:  # it got to its end: compare, and kill another from its beginning
            ended += 1
            different += differences(whole, killed, options.compare)
            shutil.rmtree(killed)
    run_whole(options.command, killed, log)
    different += differences(whole, killed, options.compare)
    print(json.dumps({
        "seconds": round(seconds, 1), "killed_after": moments, "ended": ended + 1,
        "files_compared": len(find_files(whole, options.compare)), "different": different,
    }))  # fmt: skip


if __name__ == "__main__":
    main()
