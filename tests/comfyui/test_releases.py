"""Files of EMO's open relatives in models/emo: listed, introduced and rendered; and what they ask for."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from emo_modules.checkpoints.store import save_checkpoint
from emo_modules.checkpoints.vae import build_vae
from emo_modules.families.table import RELEASES

from .in_process import SAMPLING
from .releases import random_emo, small, write_release, write_wav2vec2, write_whisper

FACE = {"box_x": 12, "box_y": 10, "box_width": 40, "box_height": 46, "face_index": 0}
SMALL_KL = {
    "_class_name": "AutoencoderKL",
    "block_out_channels": [32, 32, 32, 32],
    "latent_channels": 4,
    "down_block_types": ["DownEncoderBlock2D"] * 4,
    "up_block_types": ["UpDecoderBlock2D"] * 4,
}
SETS = {
    "echomimic_acc": "EchoMimic/denoising_unet_acc.pth",
    "echomimic_pose": "EchoMimic/denoising_unet_pose.pth",
    "hallo": "hallo/net.pth",
    "joyhallo": "joyhallo/net.pth",
    "v_express": "V-Express/denoising_unet.bin",
}


@pytest.fixture(scope="module")
def folder(pack) -> Path:
    """models/emo with small releases, which the pack takes for real ones."""
    import folder_paths

    families = pack.module("emo_modules.families.table")
    before = dict(families.RELEASES)
    for name, family in before.items():
        config = families.EMOConfig.from_json(small(name).to_json())
        families.RELEASES[name] = replace(family, config=config)
    folder = Path(folder_paths.get_folder_paths("emo")[0])
    for family, file in SETS.items():
        write_release(family, folder / Path(file).parent)
    write_whisper(folder / "EchoMimic/whisper_tiny.pt")
    yield folder
    families.RELEASES.update(before)


@pytest.fixture(scope="module")
def encoders(pack) -> None:
    import folder_paths

    folder = Path(folder_paths.get_folder_paths("audio_encoders")[0])
    folder.mkdir(parents=True, exist_ok=True)
    write_whisper(folder / "whisper_tiny.pt")
    write_wav2vec2(folder / "wav2vec2-base-960h.safetensors")


@pytest.fixture(scope="module")
def vae(pack, folder) -> Any:
    """A small one of Stable Diffusion's kind, from a checkpoint of its own."""
    config = replace(small("hallo"), vae=SMALL_KL)
    parts = dict(random_emo(config).named_children()) | {"vae": build_vae(config)}
    save_checkpoint(folder / "with_vae.safetensors", config, parts)
    return pack.run("LoadEMOModel", checkpoint="with_vae.safetensors", dtype="fp32")[2]


@pytest.fixture
def render(pack, folder, encoders, vae, portrait, tones) -> Callable[..., tuple[Tensor, dict, float]]:
    """The graph of nodes with a released set; `reference` and `sampler` are more inputs of these nodes."""

    def run(family: str, seconds: float = 0.5, reference: dict | None = None, **sampler: Any) -> tuple:
        model, net, _ = pack.run("LoadEMOModel", checkpoint=SETS[family], dtype="fp32")
        name = "whisper_tiny.pt" if "echomimic" in family else "wav2vec2-base-960h.safetensors"
        (encoder,) = pack.run("LoadAudioEncoder", audio_encoder_name=name, normalize=True)
        mask, crop, _ = pack.run(
            "FaceRegionMask", image=portrait[None], model=model, crop_width=0, crop_height=0, **FACE
        )
        (encoded,) = pack.run(
            "ReferenceNetEncode", reference_net=net, vae=vae, image=crop, **(reference or {})
        )
        given = {"model": model, "reference": encoded, "audio_encoder": encoder, "mask": mask}
        audio = {"waveform": tones(seconds, 16000)[None], "sample_rate": 16000}
        settings = SAMPLING | {"seed": 1, "speed": 12.0, "preview": False, "audio": audio}
        latent, sound, fps = pack.run("EMOSampler", **(given | settings | sampler))
        return latent["samples"], sound, fps

    return run


def landmarks(frames: int = 1, size: tuple[int, int] = (64, 64), shift: float = 0.0) -> dict[str, Any]:
    """As core's MediaPipe Face Landmarker gives them: one face a frame, moving by `shift` pixels a frame."""
    points = torch.rand(478, 2, generator=torch.Generator().manual_seed(0)) * 30 + 16
    moving = [(points + frame * shift).numpy() for frame in range(frames)]
    faces = [{"bbox_xyxy": (16, 16, 46, 46), "landmarks_xy": mesh} for mesh in moving]
    return {"frames": [[face] for face in faces], "image_size": size}


# loading


def test_a_set_is_one_name_in_the_list(pack, folder):
    names = pack.module("nodes.managed.files")
    assert set(SETS.values()) <= set(names.checkpoint_names())
    kept = [name for name in names.checkpoint_names() if name.startswith(("EchoMimic", "V-Express"))]
    assert sorted(kept) == sorted(set(SETS.values()) - {"hallo/net.pth", "joyhallo/net.pth"})
    assert [name for name in names.audio_encoder_names() if name.startswith("emo/") and "net" in name] == []


@pytest.mark.parametrize("family", SETS)
def test_title_licence_and_the_vae_to_take_are_said_at_load(pack, folder, caplog, family):
    caplog.set_level("INFO")
    _, _, vae = pack.run("LoadEMOModel", checkpoint=SETS[family], dtype="auto")
    assert vae is None
    known = RELEASES[family]
    assert f"{known.title}. Licence of the weights: {known.licence}." in caplog.text
    assert f"From {known.source}." in caplog.text
    assert "derived from Stable Diffusion 1.5, whose CreativeML OpenRAIL-M licence" in caplog.text
    assert "No VAE inside: use Load VAE, with vae-ft-mse-840000" in caplog.text


def test_v_express_says_that_it_is_not_for_commerce(pack, folder, caplog):
    caplog.set_level("INFO")
    pack.run("LoadEMOModel", checkpoint=SETS["v_express"], dtype="auto")
    assert "non-commercial research only" in caplog.text


def test_a_damaged_set_names_file_and_remedy(pack, folder):
    broken = folder / "broken"
    write_release("v_express", broken)
    (broken / "reference_net.bin").unlink()
    with pytest.raises(FileNotFoundError, match=r"denoising_unet.bin needs reference_net.bin beside it"):
        pack.run("LoadEMOModel", checkpoint="broken/denoising_unet.bin", dtype="auto")
    (broken / "reference_net.bin").write_text("<html>not found</html>")
    with pytest.raises(ValueError, match=r"reference_net.bin: expected .* found a web page"):
        pack.run("LoadEMOModel", checkpoint="broken/denoising_unet.bin", dtype="auto")


# rendering


@pytest.mark.parametrize("family", ["echomimic_acc", "hallo", "joyhallo", "v_express"])
def test_the_graph_renders_at_the_familys_rate(render, family):
    latents, sound, fps = render(family)
    config = small(family)
    assert fps == config.fps
    assert latents.shape == (-(-config.fps // 2), 4, 8, 8)
    assert latents.isfinite().all() and latents.std() > 0.1
    assert sound["waveform"].shape[-1] == round(len(latents) / fps * 16000)


def test_the_speed_is_ignored_and_that_is_said(render, caplog):
    calm, active = (render("echomimic_acc", speed=speed)[0] for speed in (2.0, [50.0] * 9))
    assert torch.equal(calm, active)
    assert "echomimic-acc has no speed layers: the speed is ignored" in caplog.text


@pytest.mark.parametrize("family", ["echomimic_acc", "hallo", "v_express"])
def test_sound_and_mask_change_the_video(render, family):
    plain = render(family)[0]
    deaf = render(family, audio_scale=0.0)[0]
    elsewhere = render(family, mask=torch.nn.functional.pad(torch.ones(1, 20, 20), (0, 44, 0, 44)))[0]
    assert (plain - deaf).abs().max() > 1e-3
    assert (plain - elsewhere).abs().max() > 1e-3


def test_without_a_mask_the_whole_picture_is_the_face(render, caplog):
    whole = render("hallo", mask=torch.ones(1, 64, 64))[0]
    assert torch.equal(render("hallo", mask=None)[0], whole)
    assert "no mask given: the whole picture is taken for the face" in caplog.text


# audio encoders


def test_each_family_refuses_the_others_encoder(render, pack, encoders):
    whisper, wav2vec2 = (
        pack.run("LoadAudioEncoder", audio_encoder_name=name, normalize=True)[0]
        for name in ("whisper_tiny.pt", "wav2vec2-base-960h.safetensors")
    )
    with pytest.raises(ValueError, match="echomimic-acc was trained on whisper-tiny"):
        render("echomimic_acc", audio_encoder=wav2vec2)
    with pytest.raises(ValueError, match="hallo was trained on wav2vec2-base-960h"):
        render("hallo", audio_encoder=whisper)


def test_cores_audio_encoders_are_for_emos_own_models(render, pack, encoders):
    from comfy_extras.nodes_audio_encoder import AudioEncoderLoader

    (core,) = AudioEncoderLoader.execute(audio_encoder_name="wav2vec2-base-960h.safetensors").args
    with pytest.raises(ValueError, match="v-express reads wav2vec2-base-960h .*EMO Load Audio Encoder"):
        render("v_express", audio_encoder=core)


def test_whisper_is_not_for_cores_audio_encoder_encode(pack, encoders):
    (whisper,) = pack.run("LoadAudioEncoder", audio_encoder_name="whisper_tiny.pt", normalize=True)
    with pytest.raises(ValueError, match="this is whisper-tiny: connect .* to EMO Sampler"):
        whisper.encode_audio(torch.zeros(1, 1, 16000), 16000)


def test_released_sets_hold_no_audio_encoder(pack, folder):
    load = pack.module("nodes.managed.audio").load_audio_encoder
    with pytest.raises(ValueError, match="no audio encoder: put the one it was trained with, whisper-tiny"):
        load("emo/EchoMimic/denoising_unet_acc.pth", True)


def test_an_encoder_inside_a_converted_file_is_found(pack, folder, encoders, tones):
    """As `python -m emo_modules convert --audio-encoder` writes them."""
    from emo_modules.speech.whisper import WHISPER_TINY, WhisperEncoder

    config = small("echomimic")
    config = replace(config, audio=replace(config.audio, encoder=WHISPER_TINY))
    parts = dict(random_emo(config).named_children()) | {"audio_encoder": WhisperEncoder(WHISPER_TINY)}
    save_checkpoint(folder / "converted.safetensors", config, parts)
    (inside,) = pack.run("LoadAudioEncoder", audio_encoder_name="emo/converted.safetensors", normalize=True)
    audio = pack.module("emo_modules.media.audio").Audio(tones(1.0, 16000)[0])
    track = inside.track(audio, 24, pack.module("emo_modules.config").EMOConfig.from_json(config.to_json()))
    assert track.shape == (50, 5, 384)


# identity


def test_a_face_embedding_is_read_as_tensor_or_list(render):
    values = torch.randn(512, generator=torch.Generator().manual_seed(0))
    unknown = render("hallo")[0]
    known = render("hallo", reference={"identity": values[None]})[0]
    assert torch.equal(known, render("hallo", reference={"identity": values.tolist()})[0])
    assert (known - unknown).abs().max() > 1e-3
    face = {"bbox": [0, 0, 9, 9], "embedding": values.numpy()}
    assert torch.equal(known, render("hallo", reference={"identity": face})[0])
    analysis = SimpleNamespace(models={}, get=lambda picture: [face])
    assert torch.equal(known, render("hallo", reference={"identity": analysis})[0])


def test_identity_that_is_missing_or_not_read_is_said(render, caplog):
    caplog.set_level("INFO")
    render("hallo")
    (said,) = (record for record in caplog.records if "has no face embedding" in record.getMessage())
    assert said.levelname == "WARNING"
    assert "guidance does not hold the likeness" in said.getMessage()
    render("v_express", reference={"identity": [0.0] * 512})
    assert "v-express reads no face embedding: identity is ignored" in caplog.text


def test_a_warning_on_the_node_looks_like_one(pack, caplog, monkeypatch):
    caplog.set_level("INFO")
    notices, shown = pack.module("nodes.managed.notices"), []
    server = SimpleNamespace(send_progress_text=lambda text, node: shown.append((node, text)))
    monkeypatch.setattr(notices.PromptServer, "instance", server, raising=False)
    with notices.show_on("7") as log:
        log.info("read once")
        log.warning("no face embedding")
    assert shown[-1] == ("7", "read once\n⚠ no face embedding")


@pytest.mark.parametrize("identity", [[0.0] * 511, torch.full((1, 512), torch.nan)])
def test_another_face_embedding_is_refused(render, identity):
    with pytest.raises(ValueError, match="identity is a face embedding of 512 finite numbers"):
        render("hallo", reference={"identity": identity})


# landmarks


@pytest.mark.parametrize("family", ["hallo", "v_express"])
def test_eyes_and_lips_follow_the_landmarks(render, family):
    estimated, found = render(family)[0], render(family, face_landmarks=landmarks())[0]
    assert (estimated - found).abs().max() > 1e-3
    larger = landmarks(size=(128, 128))
    larger["frames"][0][0]["landmarks_xy"] = 2 * landmarks()["frames"][0][0]["landmarks_xy"]
    assert (render(family, face_landmarks=larger)[0] - found).abs().max() < 1e-4


def test_landmarks_of_another_crop_are_refused(render):
    with pytest.raises(ValueError, match="picture of 200x100, the portrait is 64x64: find them in EMO Face"):
        render("hallo", face_landmarks=landmarks(size=(100, 200)))


def test_pose_weights_need_pictures_of_landmarks(render):
    with pytest.raises(ValueError, match="echomimic-pose moves the face as pictures .*connect landmark_pict"):
        render("echomimic_pose")


def test_pose_weights_follow_pictures_and_hold_the_last(render, caplog):
    pictures = torch.rand(12, 64, 64, 3, generator=torch.Generator().manual_seed(0))
    moving = render("echomimic_pose", landmark_pictures=pictures)[0]
    assert "is held" not in caplog.text
    few = render("echomimic_pose", landmark_pictures=pictures[:5])[0]
    assert "5 landmark pictures for 12 frames: the last one is held" in caplog.text
    held = torch.cat([pictures[:5], pictures[4:5].expand(7, -1, -1, -1)])
    assert torch.equal(few, render("echomimic_pose", landmark_pictures=held)[0])
    assert (few - moving).abs().max() > 1e-3


def test_pose_weights_follow_the_landmarks_of_a_driving_video(render, pack):
    still, moving = (
        render("echomimic_pose", face_landmarks=landmarks(12, shift=shift))[0] for shift in (0.0, 1.0)
    )
    assert (still - moving).abs().max() > 1e-3
    draw = pack.module("emo_modules.cues.landmarks").draw_landmarks
    faces = landmarks(12, shift=1.0)["frames"]
    drawn = [draw(torch.from_numpy(face["landmarks_xy"]), 64, 64) for (face,) in faces]
    pictures = torch.stack(drawn).movedim(1, -1)
    assert (render("echomimic_pose", landmark_pictures=pictures)[0] - moving).abs().max() < 1e-4


def test_other_weights_ignore_pictures_and_say_so(render, caplog):
    pictures = torch.rand(12, 64, 64, 3)
    assert torch.equal(render("hallo", landmark_pictures=pictures)[0], render("hallo")[0])
    assert "hallo reads no picture for each frame: landmark_pictures are ignored" in caplog.text
