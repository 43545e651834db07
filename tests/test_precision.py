"""The command line's precision: half where a GPU is made for it, and a word where a CPU is not."""

import pytest
import torch

from emo_modules import model_choice, precision
from emo_modules.models import precision as probed
from emo_modules.pipeline import Pipeline
from emo_modules.precision import default_precision, warn_of_emulation
from emo_training.training.train_config import TrainConfig


@pytest.mark.parametrize(("capability", "expected"), [((7, 5), "fp16"), ((8, 0), "bf16"), ((12, 0), "bf16")])
def test_a_gpu_computes_in_the_half_precision_that_it_multiplies(monkeypatch, capability, expected):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    assert default_precision("cuda:1") == expected


def test_a_cpu_computes_in_single_precision():
    assert default_precision("cpu") == "fp32"


@pytest.mark.parametrize(("options", "expected"), [((), torch.float16), (("--dtype", "fp32"), torch.float32)])
def test_the_option_decides_over_the_default(
    animate, picture_file, sound_file, tiny_pipeline, monkeypatch, options, expected
):
    asked = []

    def load(checkpoint, device, dtype, *others):
        asked.append(dtype)
        return tiny_pipeline

    monkeypatch.setattr(model_choice, "default_precision", lambda device: "fp16")
    monkeypatch.setattr(model_choice, "warn_of_emulation", lambda *given: None)
    monkeypatch.setattr(Pipeline, "load", load)
    status, _, errors = animate(picture_file, sound_file(), "--box", "20", "16", "50", "52", *options)
    assert (status, asked) == (0, [expected]), errors


@pytest.mark.parametrize(("factor", "warned"), [(40, True), (2, True), (0.6, False)])
def test_a_cpu_that_emulates_half_precision_says_so(monkeypatch, caplog, factor, warned):
    seconds = {torch.float32: 1.0, torch.bfloat16: factor}
    monkeypatch.setattr(precision, "product_time", seconds.get)
    warn_of_emulation("bf16", "cpu")
    assert ("choose --dtype fp32" in caplog.text) == warned


def test_a_product_is_really_timed_and_only_for_half_precision_on_a_cpu(monkeypatch, caplog):
    assert 0 < precision.product_time(torch.float32) < 5
    monkeypatch.setattr(precision, "product_time", None)
    warn_of_emulation("fp32", "cpu")
    warn_of_emulation("bf16", "cuda")
    assert not caplog.records


@pytest.mark.parametrize(("halves", "faster"), [(0.2, torch.bfloat16), (6.0, torch.float32)])
def test_training_on_a_cpu_takes_the_type_that_was_faster(monkeypatch, halves, faster):
    """A product gains, a convolution loses or the other way round: their sum decides."""
    seconds = {torch.float32: 1.0, torch.bfloat16: halves}
    monkeypatch.setattr(probed, "product_time", seconds.get)
    monkeypatch.setattr(probed, "convolution_time", {torch.float32: 1.0, torch.bfloat16: 0.9}.get)
    monkeypatch.setattr(probed, "_fast_cpu_type", probed._fast_cpu_type.__wrapped__)
    assert probed.fast_type("cpu") == faster
    with probed.fast_autocast("cpu"):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == faster


def test_both_types_are_really_timed():
    times = [time(dtype) for time in (probed.product_time, probed.convolution_time)
             for dtype in (torch.float32, torch.bfloat16)]  # fmt: skip
    assert all(0 < seconds < 5 for seconds in times)
    assert probed.fast_type("cpu") in (torch.float32, torch.bfloat16)


def test_training_says_its_type_or_asks_for_the_faster(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(probed, "_fast_cpu_type", lambda: torch.float32)
    assert TrainConfig("image", 1).mixed_precision == "no"
    monkeypatch.setattr(probed, "_fast_cpu_type", lambda: torch.bfloat16)
    assert TrainConfig("image", 1).mixed_precision == "bf16"
    assert TrainConfig("image", 1, precision="fp16").mixed_precision == "fp16"
