"""Wall time and peak memory of a short clip with the demo model, start-up included. Prints one JSON line."""

import argparse
import json
from pathlib import Path

from benchmarks.measure import ROOT, animate, machine


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3.0, help="of audio")
    parser.add_argument("--portrait", type=Path, default=ROOT / "samples" / "portrait.png")
    parser.add_argument("--speech", type=Path, default=ROOT / "samples" / "speech.wav", help="PCM WAV")
    parser.add_argument("--checkpoint", type=Path, help="default: the built-in demo model")
    parser.add_argument("--steps", type=int, help="denoising steps; default: as the checkpoint says")
    given = parser.parse_args()
    options = [f"--checkpoint={given.checkpoint.resolve()}"] if given.checkpoint else []
    options += [f"--steps={given.steps}"] if given.steps else []
    taken = animate(given.portrait, given.speech, given.seconds, options)
    print(
        json.dumps(
            {
                "audio_seconds": given.seconds,
                "wall_seconds": round(taken.seconds, 1),
                "peak_mib": round(taken.peak_mib),
                "steps": given.steps or "default",
                **machine(),
            }
        )
    )


if __name__ == "__main__":
    main()
