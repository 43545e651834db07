"""Peak memory and time of long audio against short audio, each in its own process. Prints JSON lines.

A run over a single frame of audio gives the fixed cost: without it the time per second of short audio
would be mostly start-up.
"""

import argparse
import json
from pathlib import Path

from benchmarks.measure import ROOT, Taken, animate, machine

FRAME = 0.04  # seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lengths", type=float, nargs=2, default=(10.0, 60.0), metavar=("SHORT", "LONG"))
    parser.add_argument("--steps", type=int, default=2, help="denoising steps; hardly change the ratios")
    parser.add_argument("--portrait", type=Path, default=ROOT / "samples" / "portrait.png")
    parser.add_argument("--speech", type=Path, default=ROOT / "samples" / "speech.wav", help="PCM WAV")
    parser.add_argument("--checkpoint", type=Path, help="default: the built-in demo model")
    given = parser.parse_args()
    fixed, short, long = (measure(given, seconds) for seconds in (FRAME, *given.lengths))
    runs = zip((short, long), given.lengths, strict=True)
    rates = [(taken.seconds - fixed.seconds) / seconds for taken, seconds in runs]
    print(
        json.dumps(
            {
                "lengths": given.lengths,
                "peak_ratio": round(long.peak_mib / short.peak_mib, 3),
                "seconds_per_audio_second": [round(rate, 3) for rate in rates],
                "rate_ratio": round(rates[1] / rates[0], 3),
                "steps": given.steps,
                **machine(),
            }
        )
    )


def measure(given: argparse.Namespace, seconds: float) -> Taken:
    options = [f"--steps={given.steps}"]
    options += [f"--checkpoint={given.checkpoint.resolve()}"] if given.checkpoint else []
    taken = animate(given.portrait, given.speech, seconds, options)
    print(
        json.dumps(
            {
                "audio_seconds": seconds,
                "wall_seconds": round(taken.seconds, 1),
                "peak_mib": round(taken.peak_mib),
            }
        ),
        flush=True,
    )
    return taken


if __name__ == "__main__":
    main()
