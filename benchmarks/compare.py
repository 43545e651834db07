"""The originals' own code beside ours: same random weights, inputs, threads and precision, in turn.

    python -m benchmarks.compare --family hallo --original PATH_TO_A_CHECKOUT

prints one JSON line. First a whole denoising run at a small size, whose latents are compared
(`max_abs_diff`); then `--runs` clips of each at full size, alternating, with ReferenceNet and VAE, of which
medians are compared, ours over theirs. On a CPU the original also runs on the kernels that ours runs on. The
first step of each clip is not timed: it warms up, and what it is made of is counted. Every run is a process
of its own. The original's code runs with `--python`, an interpreter that has what it imports
(docs/performance.md).
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from emo_modules.models.cpu import operations_for
from emo_modules.precision import DTYPES

ROOT = Path(__file__).parents[1]
# family: the module that runs its original, the name of its variant there, frames of a clip, guidance
FAMILIES = {
    "hallo": ("hallo", "hallo", 16, 3.5),
    "hallo2": ("hallo", "hallo2", 16, 3.5),
    "joyhallo": ("hallo", "joyhallo", 16, 3.5),
    "echomimic": ("echomimic", "audio", 12, 2.5),
    "echomimic_acc": ("echomimic", "acc", 12, 1.0),
    "echomimic_pose": ("echomimic", "pose", 12, 2.5),
    "echomimic_pose_acc": ("echomimic", "pose_acc", 12, 1.0),
    "v_express": ("v_express", "v_express", 24, 3.5),
}
PARITY = {"width": 64, "height": 64, "steps": 4}
WINDOWS = {"echomimic": (12, 3), "v_express": (24, 4), "hallo": (0, 0)}
PARITY_WINDOWS = {"echomimic": (20, 12, 3), "v_express": (20, 8, 2), "hallo": (16, 0, 0)}  # frames first


def call(*arguments: Any) -> None:
    subprocess.run([str(argument) for argument in arguments], cwd=ROOT, check=True, stdout=sys.stderr)


def scene(options: argparse.Namespace, **changes: Any) -> dict[str, Any]:
    module, _, frames, cfg = FAMILIES[options.family]
    context, overlap = WINDOWS[module]
    full = {
        "width": options.size,
        "height": options.size,
        "frames": options.frames or frames,
        "steps": options.steps + 1,  # the first is not timed
        "cfg": cfg,
        "seed": options.seed,
        "context_frames": context,
        "context_overlap": overlap,
    }
    return full | changes


class Pair:
    """Runs original and ours on one scene."""

    def __init__(self, options: argparse.Namespace, name: str, scene: dict[str, Any], vae: Path | None):
        self.options, self.vae = options, vae
        self.folder = options.work / options.family / name
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "scene.json").write_text(json.dumps(scene))
        arguments = ["--scene", self.folder / "scene.json", "--out", self.folder / "inputs.safetensors"]
        original(options, "inputs", *arguments, *(["--vae"] if vae else []))

    def run(self, side: str) -> dict[str, Any]:
        """A side is "ours", or the kernels of an original (benchmarks.originals.kernels)."""
        options = self.options
        arguments = ["--weights", weights_folder(options), "--scene", self.folder / "scene.json"]
        arguments += ["--inputs", self.folder / "inputs.safetensors", "--threads", options.threads]
        arguments += ["--device", options.device, "--dtype", options.dtype]
        arguments += ["--out", self.folder / f"{side}.safetensors", "--report", self.folder / f"{side}.json"]
        arguments += ["--vae", self.vae] if self.vae else []
        if side == "ours":
            call(sys.executable, "-m", "benchmarks.ours", *arguments)
        else:
            original(options, "run", "--original", options.original, "--kernels", side, *arguments)
        return json.loads((self.folder / f"{side}.json").read_text())

    def difference(self) -> float:
        theirs, ours = (load_file(self.folder / f"{side}.safetensors") for side in ("released", "ours"))
        return max((theirs[key] - ours[key]).abs().max().item() for key in theirs)


def weights_folder(options: argparse.Namespace) -> Path:
    return options.work / options.family / "weights"


def original(options: argparse.Namespace, command: str, *arguments: Any) -> None:
    module, variant, *_ = FAMILIES[options.family]
    call(options.python, "-m", f"benchmarks.originals.{module}", command, "--variant", variant, *arguments)


def random_vae(file: Path) -> Path:
    """Stable Diffusion 1.5's VAE with random weights."""
    if not file.exists():
        from emo_modules.checkpoints.vae import build_vae
        from emo_modules.config import EMOConfig

        torch.manual_seed(0)
        file.parent.mkdir(parents=True, exist_ok=True)
        save_file(build_vae(EMOConfig.sd15()).state_dict(), file)
    return file


def same_kernels(device: str) -> str | None:
    """The kernels that give an original what our side has on this machine; on a GPU both have the same."""
    if device != "cpu":
        return None
    return "channels-last" if operations_for(device).Linear is nn.Linear else "onednn"


def compare(reports: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """Medians by side, and of each original ours over theirs."""
    picks: dict[str, Callable[[dict[str, Any]], float]] = {
        "step_time": lambda report: median(report["step_seconds"]),
        "clip_time": lambda report: report["clip_seconds"],
        "peak_memory": lambda report: report["peak_bytes"],
        "denoise_memory": lambda report: report["denoise_peak_bytes"],
        "step_teraflop": lambda report: report["counted"]["teraflop"],
        "step_gigabyte": lambda report: report["counted"]["gigabyte"],
        "step_kernels": lambda report: report["counted"]["kernels"],
    }
    found = {}
    for name, pick in picks.items():
        sides = {side: median(map(pick, each)) for side, each in reports.items()}
        found[name] = {side: round(value, 3) for side, value in sides.items()}
        ours = sides.pop("ours")
        found[f"{name}_ratio"] = {side: round(ours / value, 3) for side, value in sides.items()}
    return found


def main() -> None:
    options = parse()
    if not weights_folder(options).exists():
        arguments = [
            "--original",
            options.original,
            "--folder",
            weights_folder(options),
            "--seed",
            options.seed,
        ]
        original(options, "weights", *arguments)
    module = FAMILIES[options.family][0]
    frames, context, overlap = PARITY_WINDOWS[module]
    small = scene(options, **PARITY, frames=frames, context_frames=context, context_overlap=overlap)
    settings = ("family", "threads", "device", "dtype")
    result: dict[str, Any] = {name: getattr(options, name) for name in settings}
    if not options.no_parity:
        parity = Pair(options, "parity", small, None)
        keys = [parity.run(side)["keys"] for side in ("released", "ours")]
        result |= {"max_abs_diff": parity.difference(), "keys": keys}
    if options.runs:
        clip = Pair(options, "clip", scene(options), random_vae(options.work / "vae.safetensors"))
        sides = [side for side in ("released", same_kernels(options.device), "ours") if side]
        runs = [{side: clip.run(side) for side in sides} for _ in range(options.runs)]
        result |= {"size": options.size, "frames": scene(options)["frames"], "steps": options.steps}
        result |= compare({side: [run[side] for run in runs] for side in sides})
        result["max_abs_diff_frames"] = clip.difference()
    print(json.dumps(result))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--family", choices=sorted(FAMILIES), required=True)
    parser.add_argument(
        "--original", type=Path, required=True, help="a checkout of the original's repository"
    )
    parser.add_argument("--python", default=sys.executable, help="interpreter with the original's libraries")
    parser.add_argument("--work", type=Path, default=Path("compare"), help="for weights and results, 10 GB")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--frames", type=int, help="default: the family's clip")
    parser.add_argument("--steps", type=int, default=2, help="of the timed clips")
    parser.add_argument("--runs", type=int, default=3, help="timed clips of each; 0: compare latents only")
    parser.add_argument("--no-parity", action="store_true", help="timed clips only")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", choices=sorted(DTYPES), default="fp32")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


if __name__ == "__main__":
    main()
