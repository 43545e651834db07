"""How fast this machine was: rates of the last runs, in a file that nothing can spoil."""

import json
from dataclasses import replace

import pytest
import torch

from emo_modules.cost.rates import LAST, MOST, RateBook, Rates
from emo_modules.cost.work import Work
from emo_modules.quirks import WindowConfig

RATES = Rates(3.0, 0.01, 0.2, 0.1)


@pytest.fixture
def work(tiny_config) -> Work:
    """Ten frames in clips of four: three clips of two steps."""
    return Work(tiny_config, 10, 0.4, 64, 64, steps=2, cfg=1.0)


def test_steps_and_passes_are_those_of_whole_clips(work):
    assert (work.clips, work.all_steps, work.solved_frames, work.passes()) == (3, 6, 12, 2)
    assert replace(work, cfg=2.0).passes() == 4
    assert replace(work, cfg=2.0, steps=10, guided_steps=(0.2, 0.5)).passes() == 13
    assert replace(work, cfg=2.0, steps=10, guided_steps=(0.2, 0.5)).passes_of(0.4) == 6


def test_windows_take_each_step_over_the_whole_video(work, tiny_config):
    windows = replace(tiny_config.quirks, windows=WindowConfig(4, 2))
    together = replace(work, config=replace(tiny_config, motion_frames=0, quirks=windows))
    assert (together.clips, together.all_steps, together.solved_frames) == (3, 2, 10)


def test_seconds_add_up(work):
    assert RATES.seconds(work) == pytest.approx(3 + 0.4 * 0.01 + 12 * 2 * 0.2 + 10 * 0.1)


def test_work_that_goes_at_another_speed_has_its_own_rates(work, tmp_path):
    book = RateBook(tmp_path)
    book.add(work, RATES)
    assert book.find(replace(work, frames=900, sound=36.0, steps=5)) == RATES
    for changed in (
        {"cfg": 2.0},
        {"width": 128},
        {"deep_cache": 2},
        {"dtype": torch.float16},
        {"device": "cuda:1"},
        {"how": "compile"},
    ):
        assert book.find(replace(work, **changed)) is None, changed
    torch.set_num_threads(torch.get_num_threads() + 1)
    assert book.find(work) is None


def test_one_disturbed_run_changes_nothing(work, tmp_path):
    book = RateBook(tmp_path)
    for factor in (1, 9, 1.1):
        book.add(work, replace(RATES, step=0.2 * factor))
    assert book.find(work) == replace(RATES, step=0.2 * 1.1)
    for _ in range(LAST):
        book.add(work, replace(RATES, step=0.5))
    assert book.find(work) == replace(RATES, step=0.5)
    assert len(json.loads(book.path.read_text())) == LAST


def test_the_file_stays_small_and_forgets_the_oldest(work, tmp_path):
    book = RateBook(tmp_path)
    for number in range(MOST + 5):
        book.add(replace(work, how=str(number)), RATES)
    assert len(json.loads(book.path.read_text())) == MOST
    assert book.find(replace(work, how="0")) is None
    assert book.find(replace(work, how=str(MOST + 4))) == RATES
    assert [path.name for path in tmp_path.iterdir()] == [book.path.name]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"7",
        b'{"a": 1}',
        b"[1]",
        b'[{"key": "x"}]',
        b'[{"key": "x", "start": -1, "hearing": 0, "step": 0, "frame": 0}]',
        b'[{"key": "x", "start": "1", "hearing": 0, "step": 0, "frame": 0}]',
        b'[{"key": "x", "start": NaN, "hearing": 0, "step": 0, "frame": 0}]',
        b"[" * 100_000,
    ],
)
def test_a_damaged_file_counts_as_none_and_is_replaced(work, tmp_path, content):
    book = RateBook(tmp_path)
    book.path.write_bytes(content)
    assert book.find(work) is None
    book.add(work, RATES)
    assert book.find(work) == RATES


def test_a_place_that_cannot_be_written_ends_no_rendering(work, tmp_path):
    (tmp_path / "file").write_text("")
    RateBook(tmp_path / "file").add(work, RATES)
