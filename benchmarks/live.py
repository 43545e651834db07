"""How far a film is behind its sound: `animate - --stream`, spoken to in real time. Prints one JSON line.

A frame's delay is from when its last sample was sent until a player has the frame.
"""

import argparse
import json
import subprocess
import sys
import threading
import time
import wave
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import IO

import av

from benchmarks.measure import ROOT, machine

CHUNK = 0.02  # seconds of sound that are sent at once
FPS = 25
AT_ONCE = {"probesize": "32", "analyzeduration": "1"}  # or libav reads for seconds before the first frame


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5.0, help="of audio")
    parser.add_argument("--portrait", type=Path, default=ROOT / "samples" / "portrait.png")
    parser.add_argument("--speech", type=Path, default=ROOT / "samples" / "speech.wav", help="PCM WAV")
    parser.add_argument("options", nargs="*", help="more of animate's, behind --")
    given = parser.parse_args()
    command = [sys.executable, "-m", "emo_modules", "animate", given.portrait, "-", "--stream", "-o", "-"]
    with subprocess.Popen(
        [*map(str, command), *given.options],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,
    ) as film:
        assert film.stdin and film.stdout and film.stderr
        film.stderr.readline()  # it listens
        threading.Thread(target=film.stderr.read, daemon=True).start()
        start = time.monotonic()
        speaker = threading.Thread(target=speak, args=(given.speech, given.seconds, film.stdin, start))
        speaker.start()
        came = [time.monotonic() - start for _ in frames_of(film.stdout)]
    delays = [moment - (frame + 1) / FPS for frame, moment in enumerate(came)]
    print(
        json.dumps(
            {
                "frames": len(came),
                "delay_of_the_first_s": round(delays[0], 2),
                "delay_median_s": round(median(delays), 2),
                "delay_of_the_last_s": round(delays[-1], 2),
                "frames_per_second": round((len(came) - 1) / (came[-1] - came[0]), 1),
                **machine(),
            }
        )
    )


def speak(path: Path, seconds: float, pipe: IO[bytes], start: float) -> None:
    with wave.open(str(path)) as sound, wave.open(pipe, "wb") as sent:
        sent.setparams(sound.getparams())
        size = round(CHUNK * sound.getframerate())
        for chunk in range(1, round(seconds / CHUNK) + 1):
            time.sleep(max(0, start + chunk * CHUNK - time.monotonic()))
            sent.writeframesraw(sound.readframes(size))
            pipe.flush()
    pipe.close()


def frames_of(pipe: IO[bytes]) -> Iterator["av.Packet[av.VideoStream]"]:
    """As they can be shown: each is the last that was waited for."""
    with av.open(pipe, "r", options=AT_ONCE) as container:
        yield from (packet for packet in container.demux(video=0) if packet.size)


if __name__ == "__main__":
    main()
