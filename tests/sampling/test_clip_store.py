"""Clips that are there are taken, others are made: what costs which clips, and that nothing else changes."""

import os
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from emo_modules.cues.face import Box
from emo_modules.media.audio import Audio
from emo_modules.options import Options
from emo_modules.pipeline import Pipeline
from emo_modules.prepared import Prepared
from emo_modules.sampling.clip_store import Clip, ClipStore, default_folder

FRAMES, CLIP = 80, 4  # 3.2 s, twenty clips
SOUND = torch.randn(FRAMES * 640, generator=torch.Generator().manual_seed(5))
PORTRAIT = torch.rand(64, 64, 3, generator=torch.Generator().manual_seed(6))
OPTIONS = Options(box=Box(16, 16, 48, 48), steps=1, cfg=1.0, head_speed=None, speed_curve=(10.0,) * FRAMES)


class Renderer:
    """A pipeline with a store, and how many clips the last rendering computed."""

    def __init__(self, pipeline: Pipeline, folder: Path, monkeypatch) -> None:
        self.pipeline = replace(pipeline, name="tiny", store=ClipStore(folder))
        self.computed = 0
        forward = pipeline.model.backbone.forward

        def counted(*args, **kwargs):
            self.computed += 1
            return forward(*args, **kwargs)

        monkeypatch.setattr(pipeline.model.backbone, "forward", counted)

    def __call__(self, sound: Tensor = SOUND, clips: int | None = None, **changes) -> Tensor:
        self.computed, chosen = 0, replace(OPTIONS, head_speed=9.0, **changes)
        prepared, audio = Prepared.from_portrait(PORTRAIT, chosen, self.pipeline.config), Audio(sound)
        frames = audio.frame_count(25)
        made = self.pipeline.latents(prepared, audio, frames, chosen)
        return torch.cat([clip for _, clip in zip(range(clips or 99), made, strict=False)])


@pytest.fixture
def render(tiny_pipeline, tmp_path, monkeypatch) -> Renderer:
    return Renderer(tiny_pipeline, tmp_path / "clips", monkeypatch)


def test_the_second_time_nothing_is_computed(render):
    first, made = render(), render.computed
    assert made == FRAMES // CLIP
    assert torch.equal(render(), first)
    assert render.computed == 0


@pytest.mark.parametrize("clips", [1, 7, 19])
def test_a_run_goes_on_where_another_was_stopped(render, clips):
    whole = replace(render.pipeline, store=None)
    expected = torch.cat(
        list(
            whole.latents(
                Prepared.from_portrait(PORTRAIT, OPTIONS, whole.config),
                Audio(SOUND),
                FRAMES,
                replace(OPTIONS, head_speed=9.0),
            )
        )
    )
    render(clips=clips)
    assert torch.equal(render(), expected)
    assert render.computed == FRAMES // CLIP - clips


def test_a_changed_end_of_the_sound_costs_the_clips_from_a_second_before(render):
    before = render()
    changed = SOUND.clone()
    changed[60 * 640 :] *= 0.5
    after = render(changed)
    assert render.computed == (FRAMES - 60 + 25) // CLIP + 1
    same = FRAMES - render.computed * CLIP
    assert torch.equal(after[:same], before[:same])
    assert not torch.equal(after[same:], before[same:])


def test_a_longer_sound_goes_on_from_the_shorter_one(render):
    before = render(SOUND[: 60 * 640])
    longer = render()
    assert render.computed == (FRAMES - 60 + 25) // CLIP + 1
    assert torch.equal(longer[:32], before[:32])


def test_a_curve_that_changes_at_four_fifths_costs_the_last_fifth(render):
    before = render()
    curve = (10.0,) * 64 + (30.0,) * 16
    after = render(speed_curve=curve)
    assert render.computed == 4
    assert torch.equal(after[:64], before[:64])
    assert not torch.equal(after[64:], before[64:])


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 1},
        {"steps": 2},
        {"cfg": 2.0},
        {"solver": "euler"},
        {"box": Box(14, 16, 48, 48)},
        {"guided_steps": (0.0, 0.5)},
        {"deep_cache": 2},
        {"speed_curve": None},
    ],
    ids=lambda change: next(iter(change)),
)
def test_what_decides_all_clips_costs_all(render, change):
    render()
    render(**change)
    assert render.computed >= FRAMES // CLIP


def test_other_weights_have_other_clips(render):
    render()
    render.pipeline = replace(render.pipeline, name="others")
    render()
    assert render.computed == FRAMES // CLIP


def test_without_a_name_nothing_is_kept(render):
    render.pipeline = replace(render.pipeline, name="")
    render()
    assert render.pipeline.store.size() == (0, 0)


def damage(path: Path, how: str) -> None:
    content = path.read_bytes()
    if how == "cut":
        path.write_bytes(content[: len(content) // 2])
    elif how == "empty":
        path.write_bytes(b"")
    elif how == "changed":
        path.write_bytes(content[:-9] + bytes([content[-9] ^ 1]) + content[-8:])
    else:
        path.write_bytes(b"<html>")


@pytest.mark.parametrize("how", ["cut", "empty", "changed", "other"])
def test_a_damaged_clip_is_made_again(render, how, caplog):
    first = render()
    files = sorted(render.pipeline.store.folder.iterdir())
    damage(files[3], how)
    assert torch.equal(render(), first)
    assert render.computed == 1
    assert "the clip is made again" in caplog.text
    assert render() is not None and render.computed == 0


def test_a_full_disk_ends_the_store_and_not_the_rendering(render, monkeypatch, caplog):
    expected = render()
    render.pipeline.store.empty()

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("emo_modules.sampling.clip_store.save_file", full)
    assert torch.equal(render(), expected)
    assert caplog.text.count("finished clips are not kept any more") == 1
    assert render.pipeline.store.size()[0] == 0


def clip(value: float) -> Clip:
    return Clip(torch.full((4, 4, 8, 8), value), torch.full((2, 4, 8, 8), value))


def test_beyond_the_limit_the_longest_unused_go(tmp_path):
    names = [f"{k:064x}" for k in range(5)]
    store = ClipStore(tmp_path)
    store.put(names[0], clip(0))
    one = store.size()[1]
    store.limit = 3 * one
    for age, name in enumerate(names[1:], 1):
        for k, known in enumerate(names[:age]):
            if (path := tmp_path / f"{known}.safetensors").exists():
                os.utime(path, (1000 + k, 1000 + k))
        store.get(names[0])
        store.put(name, clip(age))
    assert store.size() == (3, 3 * one)
    assert {name for name in names if store.get(name)} == {names[0], names[3], names[4]}


def test_emptying_leaves_what_is_not_the_stores(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"mine")
    store = ClipStore(tmp_path)
    store.put("a" * 64, clip(1))
    (tmp_path / f"{'b' * 64}.safetensors.01234567.partial").write_bytes(b"killed")
    assert store.empty()[0] == 2
    assert [path.name for path in tmp_path.iterdir()] == ["model.safetensors"]


def test_two_stores_of_one_folder_do_not_disturb_each_other(tmp_path):
    one, two = ClipStore(tmp_path), ClipStore(tmp_path)
    one.put("a" * 64, clip(1))
    assert torch.equal(two.get("a" * 64).latents, clip(1).latents)
    two.empty()
    assert one.get("a" * 64) is None
    one.put("a" * 64, clip(1))
    assert one.size()[0] == 1


def test_the_folder_can_be_named(monkeypatch, tmp_path):
    monkeypatch.setenv("EMO_CLIPS", str(tmp_path))
    assert default_folder() == tmp_path
    monkeypatch.delenv("EMO_CLIPS")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("sys.platform", "linux")
    assert default_folder() == tmp_path / "emo-portrait" / "clips"
