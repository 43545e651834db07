"""Checkpoints in models/emo: they render as in the library, and damaged ones say what is wrong."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from emo_modules.checkpoints.store import save_checkpoint
from emo_modules.cues.face import Box
from emo_modules.media.audio import Audio
from emo_modules.models.emo import EMO
from emo_modules.options import Options
from emo_modules.pipeline import Pipeline
from emo_modules.prepared import Prepared

from ..hostile import CASES
from .in_process import SAMPLING, Pack

FACE = {"box_x": 20, "box_y": 15, "box_width": 40, "box_height": 40, "face_index": 0}


@pytest.fixture(scope="module")
def folder(pack) -> Path:
    import folder_paths

    folder = Path(folder_paths.get_folder_paths("emo")[0])
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def render(
    pack: Pack, name: str, portrait: torch.Tensor, audio: dict, size: int = 0, **changes
) -> torch.Tensor:
    """The graph of nodes with a checkpoint of models/emo."""
    model, net, vae = pack.run("LoadEMOModel", checkpoint=name, dtype="fp32")
    (encoder,) = pack.run("LoadAudioEncoder", audio_encoder_name=f"emo/{name}", normalize=True)
    mask, crop, _ = pack.run(
        "FaceRegionMask", image=portrait[None], model=model, crop_width=size, crop_height=size, **FACE
    )
    (reference,) = pack.run("ReferenceNetEncode", reference_net=net, vae=vae, image=crop)
    inputs = {"model": model, "reference": reference, "audio": audio, "audio_encoder": encoder, "mask": mask}
    settings = SAMPLING | {"seed": 5, "speed": 9.0, "steps": 4} | changes
    return pack.run("EMOSampler", **(inputs | settings))[0]["samples"]


@pytest.fixture(scope="module")
def moving_pipeline(make_pipeline, moving_config) -> Pipeline:
    """Displacements of a few pixels: of those over half of a picture a rounded noise level makes others."""
    pipeline = make_pipeline(moving_config)
    with torch.no_grad():
        for part in (pipeline.model.backbone.conv_out, pipeline.model.refiner.conv_out):
            for parameter in part.parameters():
                parameter.mul_(0.2)
    return pipeline


@pytest.mark.parametrize("structure", ["tiny_config", "paper_config", "moving_config"])
@pytest.mark.parametrize("cfg", [1.0, 3.5])
def test_nodes_equal_the_library(
    request,
    pack,
    folder,
    make_pipeline: Callable,
    moving_pipeline,
    save_pipeline,
    portrait,
    tones,
    structure,
    cfg,
):
    """Zero terminal SNR and v prediction at 8x8 latents; epsilon, four levels and AutoencoderKL at 3:4; a
    portrait whose pixels move."""
    config = request.getfixturevalue(structure)
    pipeline: Pipeline = moving_pipeline if config.moving else make_pipeline(config)
    save_pipeline(pipeline, folder / "random.safetensors")
    audio = {"waveform": tones(1, 24000)[None], "sample_rate": 16000}
    options = Options(seed=5, steps=4, cfg=cfg, head_speed=9.0, box=Box(20, 15, 60, 55))
    frames = -(-24000 * 25 // 16000)
    sound = Audio(audio["waveform"][0], 16000)
    expected = torch.cat(
        list(
            pipeline.latents(
                Prepared.from_portrait(portrait, options, pipeline.config), sound, frames, options
            )
        )
    )
    found = render(pack, "random.safetensors", portrait, audio, cfg=cfg) * pipeline.config.latent_scale
    assert found.shape == expected.shape
    error = (found - expected).abs().mean() / expected.abs().mean()
    assert error < 0.02


def test_a_larger_crop_is_a_larger_video_as_in_the_library(
    pack, folder, moving_pipeline, save_pipeline, portrait, tones
):
    pipeline = moving_pipeline
    save_pipeline(pipeline, folder / "moving.safetensors")
    audio = {"waveform": tones(1, 4000)[None], "sample_rate": 16000}
    options = Options(seed=5, steps=4, cfg=1.0, head_speed=9.0, box=Box(20, 15, 60, 55), size=128)
    sound = Audio(audio["waveform"][0], 16000)
    expected = torch.cat(
        list(pipeline.latents(Prepared.from_portrait(portrait, options, pipeline.config), sound, 7, options))
    )
    found = render(pack, "moving.safetensors", portrait, audio, size=128, cfg=1.0)
    assert found.shape == expected.shape == (7, 6, 16, 16)
    assert (found - expected).abs().mean() / expected.abs().mean() < 0.02


def test_weights_without_speed_layers_ignore_the_speed_and_say_so(
    pack, folder, make_pipeline, save_pipeline, tiny_config, portrait, tones, caplog
):
    still = replace(tiny_config, backbone=replace(tiny_config.backbone, speed_dim=None))
    save_pipeline(make_pipeline(still), folder / "still.safetensors")
    audio = {"waveform": tones(1, 4000)[None], "sample_rate": 16000}
    calm, active = (
        render(pack, "still.safetensors", portrait, audio, speed=speed) for speed in (2.0, [50.0] * 9)
    )
    assert torch.equal(calm, active)
    assert "tiny has no speed layers: the speed is ignored" in caplog.text


def test_parts_of_two_models_do_not_mix(
    pack, folder, make_pipeline, save_pipeline, tiny_config, portrait, tones
):
    save_pipeline(make_pipeline(tiny_config), folder / "random.safetensors")
    audio = {"waveform": tones(1, 4000)[None], "sample_rate": 16000}
    demo, _, _ = pack.run("LoadEMOModel", checkpoint="demo (built in)", dtype="auto")
    with pytest.raises(ValueError, match="by tiny, the model is emo-built-in .*use one EMO Load Model"):
        render(pack, "random.safetensors", portrait, audio, model=demo)


def test_broken_files_name_file_expectation_finding_and_remedy(
    pack, folder, make_pipeline, save_pipeline, tiny_config
):
    whole = save_pipeline(make_pipeline(tiny_config), folder / "whole.safetensors").read_bytes()
    (folder / "cut.safetensors").write_bytes(whole[: len(whole) // 2])
    (folder / "page.safetensors").write_text("<html>not found</html>")
    for name, found in (("cut", "a damaged safetensors file"), ("page", "a web page")):
        message = rf"{name}\.safetensors: expected an EMO checkpoint .*found {found}"
        with pytest.raises(ValueError, match=message):
            pack.run("LoadEMOModel", checkpoint=f"{name}.safetensors", dtype="auto")


def test_a_checkpoint_without_an_encoder_says_where_to_get_one(pack, folder, tiny_config):
    save_checkpoint(folder / "bare.safetensors", tiny_config, dict(EMO(tiny_config).named_children()))
    with pytest.raises(
        ValueError, match="no audio encoder: put the one it was trained with, .*audio_encoders"
    ):
        pack.run("LoadAudioEncoder", audio_encoder_name="emo/bare.safetensors", normalize=True)


@pytest.mark.parametrize(
    ("name", "node"),
    [
        ("network: remote attention", "LoadAudioEncoder"),
        ("network: more of the VAE", "LoadEMOModel"),
        ("impossible: two widths", "LoadEMOModel"),
        ("header: length 2^40", "LoadEMOModel"),
    ],
)
def test_hostile_files_are_refused_as_the_library_does(name, node, pack, folder, tiny_checkpoint):
    path, case = folder / "x.safetensors", CASES[name]
    case.write(folder, tiny_checkpoint.read_bytes())
    inputs = {"checkpoint": path.name, "dtype": "auto"}
    if node == "LoadAudioEncoder":
        inputs = {"audio_encoder_name": f"emo/{path.name}", "normalize": True}
    with pytest.raises(ValueError, match=case.said) as caught:
        pack.run(node, **inputs)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("content", [b'\x80\x04\x00\x00\x00\x00\x00\x00{"a":', b"<!DOCTYPE html>"])
def test_damaged_audio_encoders_name_the_file(content, pack):
    import folder_paths

    path = Path(folder_paths.get_folder_paths("audio_encoders")[0]) / "damaged.safetensors"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"damaged\.safetensors: expected a speech encoder: .*; found a "):
        pack.run("LoadAudioEncoder", audio_encoder_name=path.name, normalize=True)
    path.unlink()
