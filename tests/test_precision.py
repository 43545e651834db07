"""The command line's precision: half where a GPU is made for it, and a word where a CPU is not."""

import pytest
import torch

from emo_modules.cli import animate as command
from emo_modules.cli import precision
from emo_modules.cli.precision import default_precision, warn_of_emulation


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

    monkeypatch.setattr(command, "default_precision", lambda device: "fp16")
    monkeypatch.setattr(command, "warn_of_emulation", lambda *given: None)
    monkeypatch.setattr(command.Pipeline, "load", load)
    status, _, errors = animate(picture_file, sound_file(), "--box", "20", "16", "50", "52", *options)
    assert (status, asked) == (0, [expected]), errors


@pytest.mark.parametrize(("factor", "warned"), [(40, True), (2, True), (0.6, False)])
def test_a_cpu_that_emulates_half_precision_says_so(monkeypatch, caplog, factor, warned):
    seconds = {torch.float32: 1.0, torch.bfloat16: factor}
    monkeypatch.setattr(precision, "_product_time", seconds.get)
    warn_of_emulation("bf16", "cpu")
    assert ("choose --dtype fp32" in caplog.text) == warned


def test_a_product_is_really_timed_and_only_for_half_precision_on_a_cpu(monkeypatch, caplog):
    assert 0 < precision._product_time(torch.float32) < 5
    monkeypatch.setattr(precision, "_product_time", None)
    warn_of_emulation("fp32", "cpu")
    warn_of_emulation("bf16", "cuda")
    assert not caplog.records
