"""The clips that were seen decide what comes next, whatever the number of processes."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from accelerate import Accelerator

from emo_training.footage.shards import SampleEntry, ShardIndex
from emo_training.training.batch_sources import MemorySource
from emo_training.training.loop import Trainer
from emo_training.training.progress import TrainProgress
from emo_training.training.sample_set import Draw
from emo_training.training.shard_source import SampleOrder
from emo_training.training.train_config import TrainConfig

from ..shards import write_shards

RUN = TrainConfig("image", 4, ema=None, accumulate=2, sampling=Draw(1, 1, 0), precision="no", save_every=100)


@pytest.fixture
def start(make_pipeline, tiny_config, samples, tmp_path, monkeypatch):
    """The trainer of one of several processes, going on from what was saved."""
    model = make_pipeline(tiny_config).model

    def build(processes: int, **changed) -> Trainer:
        monkeypatch.setattr(Accelerator, "num_processes", processes)
        config = replace(RUN, **changed)
        source = MemorySource(samples, tiny_config, config.sampling, 0)
        trainer = Trainer(model, source, config, tmp_path, log=lambda line: None)
        trainer.resume()
        return trainer

    return build


@pytest.fixture
def drawn(start, monkeypatch):
    """Microbatches of the next updates, of all processes; one of these then makes the updates."""

    def draw(processes: int, updates: int) -> list[int]:
        trainer, found = start(processes), list[int]()
        trainer.config = replace(RUN, steps=trainer.progress.step + updates)
        for own in range(processes):
            monkeypatch.setattr(Accelerator, "process_index", own)
            found += trainer.microbatches()
        monkeypatch.setattr(Accelerator, "process_index", 0)
        trainer.run()
        return found

    return draw


def test_every_sample_of_an_epoch_is_drawn_once_by_8_then_4_then_16_processes(drawn, tmp_path):
    # 2 updates of 8 processes, 4 of 4 and 2 of 16, each of 2 microbatches
    parts = [drawn(processes, updates) for processes, updates in ((8, 2), (4, 4), (16, 2))]
    assert [len(part) for part in parts] == [32, 32, 64]
    assert sorted(number for part in parts for number in part) == list(range(128))
    entries = many_entries(tmp_path / "shards")
    order = SampleOrder(entries, seed=5)
    keys = Counter(order[number].key for part in parts for number in part)
    assert keys == Counter(entry.key for entry in entries)


def many_entries(folder: Path) -> list[SampleEntry]:
    """128 samples, as the index has them, of one that was written."""
    one = ShardIndex.load(write_shards(folder, clips=1)).entries[0]
    return [replace(one, key=f"clip{n:03d}", shard=f"train-{n // 16:06d}.tar") for n in range(128)]


def test_another_batch_goes_on_where_the_clips_that_were_seen_end(start, drawn):
    drawn(8, 1)
    assert start(1, sampling=Draw(4, 1, 0)).microbatches()[0] == 16 // 4
    assert start(1, sampling=Draw(5, 1, 0)).microbatches()[0] == 16 // 5  # one is seen again, none left out


def test_states_that_did_not_count_clips_go_on_as_they_did():
    progress = TrainProgress(per_update=16)
    progress.load_state_dict({"step": 50, "running": {"denoise": 0.5}})
    assert (progress.clips, progress.skipped, progress.seconds) == (800, 0, 0.0)
    progress.load_state_dict(progress.state_dict() | {"clips": 70})
    assert progress.clips == 70
