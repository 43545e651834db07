"""`train` on shards, stage after stage, and what it says when something is missing."""

import json
import re
from pathlib import Path

import pytest
import torch

from emo_modules.checkpoints.adapter import AdapterUse, read_adapter
from emo_modules.checkpoints.store import load_checkpoint, save_checkpoint
from emo_training.cli import main
from emo_training.footage.shards import SPEED_BINS, ShardIndex, write_index
from emo_training.training.speed_buckets import fit_speed_buckets
from emo_training.training.stages import PAPER_STAGES

from ..relatives import random_emo
from ..shards import write_shards


@pytest.fixture
def train(tmp_path, shards, tiny_checkpoint, capsys):
    """Runs two steps in `tmp_path / stage` (the first has a learning rate of 0): exit status, and what was
    written to standard error."""

    def run(stage: str, *more: str | Path, checkpoint: Path = tiny_checkpoint, data: Path = shards):
        given = ["--stage", stage, "--steps", "2", "--batch", "1", "--workers", "0", "--precision", "no"]
        folders = ["--shards", data, "--out", tmp_path / stage, "--checkpoint", checkpoint]
        status = main(["train", *map(str, [*given, *folders, *more])])
        return status, capsys.readouterr().err

    return run


def test_the_three_stages_follow_each_other(train, tmp_path, shards, tiny_checkpoint):
    before = load_checkpoint(tiny_checkpoint)
    for stage, start in (("image", tiny_checkpoint), ("video", "image"), ("speed", "video")):
        start = tmp_path / start / "checkpoint.safetensors" if isinstance(start, str) else start
        assert train(stage, checkpoint=start)[0] == 0
    after = load_checkpoint(tmp_path / "speed" / "checkpoint.safetensors")
    assert after.config.speed == fit_speed_buckets(ShardIndex.load(shards).speeds, before.config.speed)
    assert after.vae is not None and after.audio_encoder is not None
    for stage in PAPER_STAGES:
        assert (tmp_path / stage / "samples-000002.png").stat().st_size > 500
        (line,) = (tmp_path / stage / "log.jsonl").read_text().splitlines()
        assert 0 < json.loads(line)["validation"] < 10
    assert list((tmp_path / "speed" / "tensorboard").glob("events*"))
    changed = {key.split(".")[0] for key, value in after.model.state_dict().items()
               if not torch.equal(value, before.model.state_dict()[key])}  # fmt: skip
    assert changed == {"backbone", "reference_net", "face_locator", "audio_projection", "speed_encoder"}


def test_a_lora_is_the_only_thing_that_is_written(train, tmp_path, tiny_checkpoint):
    pytest.importorskip("peft", reason="peft is not installed: pip install 'emo-portrait[train]'")
    cache = tmp_path / "cache"
    assert train("video", "--lora", "2", "--lora-alpha", "4", "--cache", cache)[0] == 0
    found = read_adapter(tmp_path / "video" / "lora.safetensors")
    assert (found.info.rank, found.info.parts) == (2, ("backbone",))
    assert {layer.alpha for layer in found.layers.values()} == {4.0}
    assert not (tmp_path / "video" / "checkpoint.safetensors").exists()
    load_checkpoint(tiny_checkpoint, adapters=[AdapterUse(found.path)])
    assert list((cache / "latents").glob("clip*.safetensors"))
    assert list((cache / "speech").glob("clip*.safetensors"))


def test_a_cache_is_for_shards(tmp_path, samples, tiny_checkpoint, capsys):
    samples.save(tmp_path / "samples.safetensors")
    data = ["--samples", tmp_path / "samples.safetensors", "--cache", tmp_path / "cache"]
    given = ["--stage", "video", "--steps", "1", "--checkpoint", tiny_checkpoint, "--out", tmp_path / "run"]
    assert main(["train", *map(str, [*given, *data])]) == 1
    assert "--cache is for --shards: encoded samples are latents already" in capsys.readouterr().err


def test_speed_buckets_can_be_kept(train, tmp_path, tiny_checkpoint):
    assert train("speed", "--keep-speed-buckets")[0] == 0
    kept = load_checkpoint(tmp_path / "speed" / "checkpoint.safetensors").config.speed
    assert kept == load_checkpoint(tiny_checkpoint).config.speed


def test_the_speed_stage_needs_speeds_even_if_it_keeps_its_buckets(train, tmp_path):
    unknown = write_shards(tmp_path / "unknown", clips=2)
    for path in unknown.glob("*.index.json"):
        path.write_text(json.dumps(json.loads(path.read_text()) | {"speeds": [0] * SPEED_BINS}))
    status, error = train("speed", "--keep-speed-buckets", data=unknown)
    assert status == 1
    assert "the shards know no head speed" in error
    assert not list((tmp_path / "speed").glob("state*"))


def test_the_first_line_says_what_the_run_amounts_to(train, monkeypatch):
    said: list[str] = []
    monkeypatch.setattr("builtins.print", lambda *words, **_: said.append(" ".join(map(str, words))))
    assert train("image")[0] == 0
    assert re.fullmatch(
        r"image: 6 samples, 0.002 hours of 3 people; 0\.\d of 0\.\d million parameters train; "
        "2 updates of 1 see 2 pictures, 0.333 epochs",
        said[0],
    )
    assert said[-1].endswith("stage image, step 2 of 2")


def test_where_nobody_is_held_out_no_loss_is_told_as_if_somebody_were(train, tmp_path, monkeypatch):
    everybody = write_shards(tmp_path / "everybody", clips=2)
    for path in everybody.glob("test*"):
        path.unlink()
    write_index(everybody, {})
    said: list[str] = []
    monkeypatch.setattr("builtins.print", lambda *words, **_: said.append(" ".join(map(str, words))))
    assert train("image", data=everybody)[0] == 0
    assert said[1].startswith("nobody is held out")
    assert not (tmp_path / "image" / "log.jsonl").exists()
    assert (tmp_path / "image" / "samples-000002.png").exists()


def test_pictures_without_sound_are_for_the_image_stage(train, tmp_path):
    silent = write_shards(tmp_path / "silent", clips=2, sound=False)
    assert train("image", data=silent)[0] == 0
    status, error = train("video", data=silent)
    assert status == 1
    assert "none of 2 samples has 7 frames and sound, which this stage needs" in error


def test_shards_need_a_vae_and_an_audio_encoder(train, tmp_path, tiny_pipeline):
    bare = tmp_path / "bare.safetensors"
    save_checkpoint(bare, tiny_pipeline.config, dict(tiny_pipeline.model.named_children()))
    status, error = train("video", checkpoint=bare)
    assert status == 1
    assert "so --vae and --audio-encoder must be given" in error


def test_vae_and_audio_encoder_may_come_as_pickles(train, tmp_path, tiny_pipeline):
    bare = tmp_path / "bare.safetensors"
    save_checkpoint(bare, tiny_pipeline.config, dict(tiny_pipeline.model.named_children()))
    given = []
    for part, name in (("vae", "vae.ckpt"), ("audio_encoder", "encoder.pth")):
        state = getattr(tiny_pipeline, part).state_dict()
        torch.save({"state_dict": state}, tmp_path / name, _use_new_zipfile_serialization=part == "vae")
        given += [f"--{part.replace('_', '-')}", tmp_path / name]
    assert train("video", *given, checkpoint=bare)[0] == 0
    written = load_checkpoint(tmp_path / "video" / "checkpoint.safetensors")
    for part in ("vae", "audio_encoder"):
        own, read = getattr(tiny_pipeline, part).state_dict(), getattr(written, part).state_dict()
        assert all(torch.equal(read[key], value) for key, value in own.items() if key != "masked_spec_embed")


@pytest.mark.parametrize("name", ["cut.safetensors", "code.pth", "page.ckpt"])
@pytest.mark.parametrize(
    "option", ["--vae", "--audio-encoder", "--sd15", "--animatediff", "--relative", "--checkpoint"]
)
def test_every_file_to_start_from_is_refused_in_the_same_words(train, tmp_path, option, name):
    file = tmp_path / name
    if name == "code.pth":
        torch.save({"a": torch.nn.Linear(2, 2)}, file)
    file.touch()
    found = {
        "cut.safetensors": (b"\x80\x04" + bytes(6) + b'{"a":', "a truncated safetensors file: 13 bytes"),
        "code.pth": (file.read_bytes(), "a pickle that is damaged or holds code, which was not run"),
        "page.ckpt": (b"<!DOCTYPE html>", "a web page"),
    }
    content, said = found[name]
    file.write_bytes(content)
    status, error = train("image", option, file)
    assert status == 1
    assert f"error: {file}: expected " in error
    assert f"; found {said}" in error


def test_a_folder_that_is_no_shards_is_refused(train, tmp_path):
    status, error = train("image", data=tmp_path)
    assert status == 1
    assert "has no index.json" in error


def test_a_model_that_moves_portraits_is_trained_elsewhere(train, tmp_path, moving_config):
    file = tmp_path / "moving.safetensors"
    save_checkpoint(file, moving_config, dict(random_emo(moving_config).named_children()))
    status, error = train("video", checkpoint=file, data=tmp_path / "nowhere")
    assert status == 1
    assert "train it with python -m emo_people train-built-in, or teach it one person with" in error
    assert not (tmp_path / "video").exists()
