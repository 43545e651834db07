"""What a training step of the paper's model costs: memory, time, tokens, and its share of the machine's rate.

    python -m benchmarks.train_step --stage video --size 64 --frames 4
    python -m benchmarks.train_step --stage video --size 512 --count     # operations only, on any machine

The first trains two steps with the project's own loop on random samples (the second is timed); both
print one JSON line. Operations are counted on tensors without data, the backward pass included.
"""

import argparse
import json
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.floor import matrix_rate
from emo_modules.config import EMOConfig
from emo_modules.models.emo import EMO
from emo_people.networks.fit import channels_last
from emo_training.training.batch_sources import MemorySource
from emo_training.training.config_file import stage_draw
from emo_training.training.logs import peak_memory
from emo_training.training.loop import Trainer
from emo_training.training.sample_set import Batch, Draw, SampleSet, draw_batch
from emo_training.training.stages import PAPER_STAGES, select_parameters
from emo_training.training.train_config import TrainConfig


def random_samples(config: EMOConfig, draw: Draw) -> SampleSet:
    latent = (config.latent_channels, config.height // 8, config.width // 8)
    audio = config.audio
    frames = draw.needed
    return SampleSet(
        latents=torch.randn(2, frames, *latent),
        portraits=torch.randn(2, 1, *latent),
        audio=torch.randn(2, frames + 2 * audio.context, audio.layers, audio.feature_dim),
        boxes=torch.tensor([0.2, 0.2, 0.8, 0.8]).expand(2, frames, 4),
        speeds=20 * torch.rand(2, frames),
    )


def on_meta(batch: Batch) -> Batch:
    return batch.to(torch.device("meta"))


def operations(config: EMOConfig, run: TrainConfig) -> int:
    """Floating-point operations of one microbatch, forward and backward; VAE and audio encoder aside."""
    with torch.device("meta"):
        model = EMO(config)
    select_parameters(model, run.table)
    if run.recompute:
        model.backbone.recompute_layers()
        model.reference_net.recompute_layers()
    drawn = draw_batch(random_samples(config, run.sampling), config, run.sampling, torch.Generator())
    batch = on_meta(drawn)
    timesteps = torch.zeros(batch.latents.shape[:2], device="meta")
    with FlopCounterMode(display=False) as counter:
        given = batch.conditions(run.table.clips, run.table.speed)
        predicted: Tensor = model(batch.latents, timesteps, **given)
        predicted.square().mean().backward()
    return counter.get_total_flops()


def measure(config: EMOConfig, run: TrainConfig) -> dict[str, float]:
    """Seconds and bytes of the second of two steps."""
    torch.manual_seed(0)
    model = channels_last(EMO(config))
    samples = random_samples(config, run.sampling)
    with tempfile.TemporaryDirectory() as folder:
        source = MemorySource(samples, config, run.sampling, run.seed)
        trainer = Trainer(model, source, run, Path(folder))
        trainer.model.train()
        batches = source.stream(trainer.microbatches())
        trainer.step(batches)
        start = time.perf_counter()
        loss = float(trainer.step(batches)["denoise"])
        seconds = time.perf_counter() - start
    return {
        "loss": round(loss, 4),
        "seconds": seconds,
        "memory_gb": round(peak_memory(trainer.accelerator.device) / 1e9, 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--stage", choices=sorted(PAPER_STAGES), required=True)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--frames", type=int, help="default: 1 picture, or 12 frames")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--precision", choices=["no", "bf16", "fp16"], default="no")
    parser.add_argument("--recompute", action="store_true")
    parser.add_argument("--optimizer", choices=["adamw", "adafactor"], default="adamw")
    parser.add_argument("--without-ema", action="store_true")
    parser.add_argument("--count", action="store_true", help="only count operations")
    options = parser.parse_args()
    config = replace(EMOConfig.sd15(), width=options.size, height=options.size)
    draw = replace(stage_draw(options.stage, config), batch=options.batch)
    if options.frames:
        draw = replace(draw, frames=options.frames)
    run = TrainConfig(
        options.stage, 2, warmup=1, sampling=draw, precision=options.precision,
        recompute=options.recompute, optimizer=options.optimizer,
        ema=None if options.without_ema else 0.999,
    )  # fmt: skip
    flops = operations(config, run)
    tokens = options.batch * draw.frames * (options.size // 8) ** 2
    line: dict[str, object] = {
        "stage": run.stage,
        "size": options.size,
        "frames": draw.frames,
        "batch": options.batch,
    }
    line |= {"teraflop_per_step": round(flops / 1e12, 3), "latent_positions": tokens}
    if not options.count:
        line |= report(measure(config, run), flops, tokens, options.precision)
    print(json.dumps(line))


def report(measured: dict[str, float], flops: int, tokens: int, precision: str) -> dict[str, float | str]:
    device = "cuda" if torch.cuda.is_available() else "cpu"
    kinds = {"no": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
    rate = matrix_rate(device, kinds[precision])
    seconds = measured["seconds"]
    return {
        **measured,
        "seconds": round(seconds, 2),
        "tokens_per_second": round(tokens / seconds, 1),
        "share_of_matrix_rate": round(flops / seconds / rate, 3),
        "device": torch.cuda.get_device_name() if device == "cuda" else "cpu",
    }


if __name__ == "__main__":
    main()
