"""benchmarks.gpu: rows can be measured, a run goes on where another ended, and what is slow is given up."""

import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch.utils.flop_counter import FlopCounterMode

pytest.importorskip("resource", reason="benchmarks are for Linux and macOS")

from benchmarks import gpu
from benchmarks.compare import compare
from benchmarks.originals.counting import Counts, attention_operations, linear_operations
from benchmarks.originals.kernels import linear
from benchmarks.timing.bare import stand_ins
from benchmarks.timing.bench import Bench
from benchmarks.timing.passes import step
from benchmarks.timing.row import ROWS, Row
from benchmarks.timing.structures import Scene

ONEDNN = pytest.mark.skipif(
    not hasattr(torch.ops.mkldnn, "_linear_pointwise"), reason="torch has no linear layer of oneDNN"
)
ROOT = Path(__file__).parents[1]
ON_CPU = [row for row in ROWS if not row.needs_cuda]
# One of each measurement but compiling, which takes a minute, and one of each structure
SOME = (
    "step v_express 512 fp32",
    "clip echomimic 512 bf16",
    "clip emo 512 bf16 guided=(0.0, 0.5)",
    "beside emo 512 bf16 steps=4 cfg=1.0",
    "decoding emo 512 fp32",
    "halves emo 256 bf16",
    "channels-last emo 512 bf16",
    "film built-in 256 fp32",
)


def test_rows_can_be_measured(tmp_path):
    out = tmp_path / "rows.jsonl"
    command = [sys.executable, "-m", "benchmarks.gpu", "--device", "cpu", "--tiny", "--out", str(out)]
    subprocess.run([*command, "--only", *SOME], cwd=ROOT, check=True, capture_output=True)
    found = {line["row"]: line for line in gpu.read_lines(out)}
    assert {name: line["error"] for name, line in found.items() if "error" in line} == {}
    assert set(found) == set(SOME)
    clip = found["clip emo 512 bf16 guided=(0.0, 0.5)"]
    assert clip["frames"] == 12 and clip["clip_seconds"] >= clip["steps_seconds"] > 0
    film = found["film built-in 256 fp32"]
    assert (film["frames"], film["longer_frames"]) == (4, 13)
    told = film["rates"]["start"] + 0.5 * film["rates"]["hearing"] + 13 * film["rates"]["frame"]
    assert film["told_seconds"] > told > 0


@ONEDNN
def test_the_counted_pass_is_the_structures():
    """By PyTorch's own counter, without data."""
    bench, row = Bench("cpu", tiny=True), Row("step", "hallo", dtype="fp32")
    found = step(bench, row)
    model = bench.model(row)
    scene = Scene.of(model)
    of_cpus = {
        torch.ops.mkldnn._linear_pointwise: linear_operations,
        torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: attention_operations,
    }
    with torch.no_grad(), FlopCounterMode(display=False, custom_mapping=of_cpus) as counter:
        model.predict(scene.noisy, scene.timestep.expand(len(scene.noisy)), scene.conditions)
    assert found["pass_teraflop"] == pytest.approx(counter.get_total_flops() / 1e12, abs=1e-6)
    assert 300 < found["pass_kernels"] < 1000


def test_what_is_not_installed_is_absent_again_after_the_imports(monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)  # an import of it fails
    with stand_ins() as absent:
        assert absent == ["av"]
        assert import_module("av").AudioStream is not None
    assert "av" not in sys.modules


def test_a_run_goes_on_where_another_ended(tmp_path):
    first, second, third, *_ = ON_CPU
    out = tmp_path / "rows.jsonl"
    lines = [
        {"row": second.name, "error": "took longer than 1 s"},
        {"row": first.name, "guided_seconds": 1.0},
    ]
    out.write_text("\n".join(map(json.dumps, lines)) + '\n{"row": "' + third.name, encoding="utf-8")
    left = gpu.open_rows(gpu.read_lines(out), "cpu", [])
    assert left[0] == third and left[-1] == second and len(left) == len(ON_CPU) - 1
    assert [row for row in gpu.open_rows([], "cuda", []) if row.needs_cuda]
    assert {row.measure for row in gpu.open_rows([], "cpu", ["film"])} == {"film"}


class Worker:
    """Answers with what it is given, one for each row; None is silence, EOFError a death."""

    def __init__(self, answers):
        self.answers, self.connection, self.ended = [{"card": "none"}, *answers], self, False

    def poll(self, seconds):
        return self.answers[0] is not None

    def recv(self):
        if (found := self.answers.pop(0)) is EOFError:
            raise EOFError
        return found

    def end(self):
        self.ended = True


def test_a_row_that_hangs_or_kills_its_process_costs_only_itself(monkeypatch):
    rows = [Row("step", limit=limit) for limit in (1, 2, 3, 4)]
    workers = [Worker([{"a": 1}, None]), Worker([EOFError]), Worker([{"a": 4}])]
    started = iter(workers)
    asked = []

    def start(serve, rows, device, tiny):
        asked.append(len(rows))
        return next(started)

    monkeypatch.setattr(gpu, "start_child", start)
    found = list(gpu.measure(rows, "cpu", True, 60))
    assert [line.get("a") or line["error"] for line in found] == [
        1,
        "took longer than 2 s",
        "the process died",
        4,
    ]
    assert asked == [4, 2, 1] and all(worker.ended for worker in workers)


def test_no_row_is_begun_when_the_time_is_over(monkeypatch):
    monkeypatch.setattr(gpu, "start_child", lambda *_: Worker([{"a": 1}] * 4))
    assert list(gpu.measure([Row("step")] * 4, "cpu", True, 0)) == []


def test_rows_have_names_of_their_own():
    names = [row.name for row in ROWS]
    assert len(set(names)) == len(names)
    assert Row("clip", solver="dpm++2m", steps=15).name == "clip emo 512 bf16 solver=dpm++2m steps=15"


def test_kernels_bytes_and_operations_are_counted():
    x, weight = torch.ones(4, 8), torch.ones(16, 8)
    with torch.no_grad(), Counts() as counts:
        y = F.linear(x, weight)  # a product; the weight's transposition is a view
        z = y.view(2, 32) + y.view(2, 32)
        torch.empty(1000)
    assert counts.found["kernels"] == 2
    assert counts.operations == 2 * 4 * 8 * 16
    assert counts.bytes == 4 * (4 * 8 + 16 * 8 + 4 * 16) + 4 * (64 + 64 + z.numel())


@ONEDNN
def test_the_kernels_of_a_cpu_are_counted_as_those_of_a_gpu():
    x, weight, bias = torch.randn(4, 8), torch.randn(16, 8), torch.randn(16)
    tokens = torch.randn(1, 2, 5, 8)
    with torch.no_grad(), Counts() as counts:
        y = linear(x, weight, bias)
        F.scaled_dot_product_attention(tokens, tokens, tokens)
    assert torch.allclose(y, F.linear(x, weight, bias), atol=1e-5)
    assert counts.operations == 2 * 4 * 8 * 16 + 2 * 2 * (2 * 5 * 5 * 8)


def test_ours_is_compared_with_each_original():
    def report(seconds, kernels):
        counted = {"teraflop": 1.0, "gigabyte": 2.0, "kernels": kernels}
        peaks = {"peak_bytes": 4.0, "denoise_peak_bytes": 2.0}
        return {"step_seconds": [seconds, seconds], "clip_seconds": 2 * seconds, "counted": counted, **peaks}

    sides = {
        "released": [report(seconds, 100) for seconds in (7, 8, 30)],
        "onednn": [report(4, 100)],
        "ours": [report(2, 150)],
    }
    found = compare(sides)
    assert found["step_time"] == {"released": 8, "onednn": 4, "ours": 2}
    assert found["step_time_ratio"] == {"released": 0.25, "onednn": 0.5}
    assert found["step_kernels_ratio"] == {"released": 1.5, "onednn": 1.5}
