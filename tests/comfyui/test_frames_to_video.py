"""What FramesToVideo writes: names, numbers, the graph in the file, and what is left after an error."""

import json
import re
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import numpy as np
import pytest
import torch
from PIL import Image

from emo_modules.media import formats
from emo_modules.media.audio import load_audio
from emo_modules.media.video import read_video

from .in_process import Pack

ROOT = Path(__file__).parents[2]
VIDEO = {"fps": 25.0, "save_output": True, "crf": 18}
FRAMES = torch.rand(3, 16, 16, 3)


@pytest.fixture
def output(comfy, tmp_path, monkeypatch) -> Path:
    import folder_paths

    monkeypatch.setattr(folder_paths, "output_directory", str(tmp_path))
    return tmp_path


def write(pack: Pack, **inputs: Any) -> Path:
    (video,) = pack.run("FramesToVideo", **({"images": FRAMES, "filename_prefix": "EMO"} | VIDEO | inputs))
    return Path(video.get_stream_source())


def results(pack: Pack, **inputs: Any) -> tuple[Any, dict[str, Any]]:
    """The VIDEO, and what the page is told."""
    node = pack.nodes.NODE_CLASS_MAPPINGS["FramesToVideo"]
    node.GET_SCHEMA()
    given = {"images": FRAMES, "filename_prefix": "clips/EMO"} | VIDEO | inputs
    made = node.PREPARE_CLASS_CLONE({}).execute(**given)
    (video,) = made.args[0]
    return video, made.ui


def validate(pack: Pack, prefix: Any, **inputs: Any) -> bool | str:
    node = pack.nodes.NODE_CLASS_MAPPINGS["FramesToVideo"]
    given = {"filename_prefix": prefix} | inputs
    return node.validate_inputs(**{name: [value] for name, value in given.items()})


@pytest.mark.parametrize(
    ("prefix", "written"),
    [
        ("video/EMO", "video/EMO_00001_.mp4"),
        ("video\\EMO", "video/EMO_00001_.mp4"),
        ("", "EMO_00001_.mp4"),
        (".", "EMO_00001_.mp4"),
        ("x/", "x_00001_.mp4"),
        (" talk\n", "talk_00001_.mp4"),
        ("写真/émo", "写真/émo_00001_.mp4"),
        ("%width%x%height%", "16x16_00001_.mp4"),
        ("CON", "CON_00001_.mp4"),
    ],
)
def test_a_prefix_is_folders_and_a_name(pack, output, prefix, written):
    assert validate(pack, prefix) is True
    assert write(pack, filename_prefix=prefix) == output / written


@pytest.mark.parametrize(
    ("prefix", "message"),
    [
        ("..", "leaves the output folder"),
        ("../x", "leaves the output folder"),
        ("a/../../b", "leaves the output folder"),
        ("a\\..\\..\\b", "leaves the output folder"),
        ("/", "leaves the output folder"),
        ("/abs/x", "leaves the output folder"),
        ("C:\\x\\y", "has ':' in it, which Windows cannot hold"),
        ('a*b?<>|"', r"has '\*' in it"),
        ("EMO\n2", r"has '\\n' in it"),
        ("EMO\x002", r"has '\\x00' in it"),
        ("CON/x", "is the name of a device on Windows"),
        ("nul.x", "is the name of a device on Windows"),
        ("folder./x", "ends in a dot or a space"),
        ("folder /x", "ends in a dot or a space"),
        ("n" * 250, "file name too long: give a shorter name"),
        ("n" * 300 + "/x", "file name too long: give a shorter name"),
    ],
)
def test_names_that_cannot_be_are_refused_before_and_after_a_wire(pack, output, prefix, message):
    said = validate(pack, prefix)
    with pytest.raises((ValueError, OSError), match=message) as refused:
        write(pack, filename_prefix=prefix)
    assert said == str(refused.value)
    assert list(output.iterdir()) == []


def test_a_prefix_over_a_wire_is_not_there_to_validate(pack):
    assert validate(pack, None) is True


def test_dates_and_widgets_are_filled_in_as_for_cores_savers(pack, output):
    node = pack.nodes.NODE_CLASS_MAPPINGS["FramesToVideo"]
    prompt = {
        "3": {
            "class_type": "EMOSampler",
            "inputs": {"seed": 7, "steps": ["9", 0]},
            "_meta": {"title": "main"},
        },
        "4": {"class_type": "LoadImage", "inputs": {"image": "a/b:c.png"}, "_meta": {"title": "Load"}},
        "5": {"class_type": "LoadImage", "inputs": {"image": "other.png"}, "_meta": {"title": "Load"}},
    }
    workflow = {"nodes": [{"id": 5, "properties": {"Node name for S&R": "second"}}]}
    hidden = SimpleNamespace(unique_id="1", prompt=prompt, extra_pnginfo={"workflow": workflow})
    naming = pack.module("nodes.managed.output_files")
    now, said = datetime.now(), []
    log = SimpleNamespace(warning=lambda text, *values: said.append(text % values))

    def named(prefix: str) -> str:
        assert node.validate_inputs(filename_prefix=prefix) is True
        path = naming.output_file(prefix, True, ".mp4", 16, 9, hidden, log)
        return path.relative_to(output).as_posix().removesuffix("_00001_.mp4")

    assert named("%date:yyyy-MM-dd%/EMO") == f"{now:%Y-%m-%d}/EMO"
    assert named("%date:yy.M.d%") == f"{now:%y}.{now.month}.{now.day}"
    assert named("%year%-%month%") == f"{now:%Y-%m}"
    assert named("%EMOSampler.seed%") == named("%main.seed%") == "7"
    assert named("%Load.image%") == "a_b_c.png"
    assert named("%second.image%") == "other.png"
    hidden.extra_pnginfo = {"workflow": None}  # a prompt from a program
    assert named("%main.seed%") == "7"
    assert said == []
    assert named("%main.steps%") == "%main.steps%"
    assert said == ["%main.steps% in filename_prefix names no widget of the workflow: it stays as it is"]


def test_two_servers_that_count_to_the_same_number_both_keep_their_video(pack, output, monkeypatch):
    import folder_paths

    monkeypatch.setattr(
        folder_paths, "get_save_image_path", lambda *given: (str(output), "EMO", 1, "", "EMO")
    )
    first, second = write(pack, images=FRAMES[:1]), write(pack, images=FRAMES)
    assert (first.name, second.name) == ("EMO_00001_.mp4", "EMO_00002_.mp4")
    assert [len(read_video(path)[0]) for path in (first, second)] == [1, 3]


def test_an_error_keeps_the_frames_so_far_and_the_next_run_counts_on(
    pack, scene, output, caplog, monkeypatch
):
    decode, decoded = scene.vae.decode, []

    def break_down(latents: torch.Tensor) -> torch.Tensor:
        if decoded:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        decoded.append(decode(latents))
        return decoded[0]

    monkeypatch.setattr(scene.vae, "decode", break_down)
    samples = {"samples": torch.zeros(32, 8, 2, 2)}
    with pytest.raises(torch.OutOfMemoryError):
        write(pack, images=None, samples=samples, vae=scene.vae)
    (kept,) = output.iterdir()
    assert kept.name == "EMO_00001_.part.mp4"
    assert len(read_video(kept)[0]) == len(decoded[0]) == 16
    assert f"the 16 frames (0.64 s) before the error are kept in {kept}" in caplog.text
    assert write(pack).name == "EMO_00002_.mp4"


def test_a_cancelled_run_leaves_nothing(pack, output, comfy, monkeypatch):
    import comfy.model_management as management

    asked = iter([False, False, True])

    def cancel() -> None:
        if next(asked):
            raise management.InterruptProcessingException

    monkeypatch.setattr(management, "throw_exception_if_processing_interrupted", cancel)
    with pytest.raises(management.InterruptProcessingException):
        write(pack)
    assert list(output.iterdir()) == []


@pytest.mark.parametrize("crf", [0, -1000, 52])
def test_a_quality_that_nothing_plays_is_refused(pack, output, crf):
    with pytest.raises(ValueError, match=f"crf must be a whole number from 1 to 51, got {crf}"):
        write(pack, crf=crf)


def test_the_best_quality_still_plays_in_browsers(pack, output):
    with av.open(str(write(pack, crf=1))) as container:
        assert container.streams.video[0].profile == "High"


@pytest.mark.parametrize(("fps", "said"), [(25.0, False), (24.0, False), (12.5, True), (50.0, True)])
def test_frames_and_sound_of_another_length_are_pointed_out(pack, output, caplog, fps, said):
    audio = {"waveform": torch.rand(1, 1, 1920), "sample_rate": 16000}
    write(pack, fps=fps, audio=audio)
    assert ("lips will not fit it" in caplog.text) == said


def test_the_graph_in_the_file_is_json_whatever_a_pack_put_into_it(pack):
    tags = pack.module("nodes.managed.metadata").graph_tags(
        SimpleNamespace(
            prompt={"1": {"is_changed": [float("nan")], "inputs": {"a": 1.5}}}, extra_pnginfo=None
        )
    )
    assert json.loads(tags["prompt"], parse_constant=pytest.fail) == {
        "1": {"is_changed": [None], "inputs": {"a": 1.5}}
    }


def a_second_of_sound() -> dict[str, Any]:
    times = torch.arange(16000) / 16000
    return {"waveform": (0.4 * torch.sin(2 * torch.pi * 300 * times))[None, None], "sample_rate": 16000}


# choice, the film that the page is told of and under which key, whether it plays it, codecs in it
SHOWN = {
    "mp4 (H.264)": ("EMO_00001_.mp4", "images", True, ["h264", "aac"]),
    "webm (VP9)": ("EMO_00001_.webm", "images", True, ["vp9", "opus"]),
    "gif": ("EMO_00001_.gif", "images", False, ["gif"]),
    "png frames": ("EMO_00001_/00001.png", "images", False, ["png"]),
    "mov (ProRes)": ("EMO_00001_.mov", "video", False, ["prores", "pcm_s24le"]),
}


@pytest.mark.parametrize("choice", SHOWN)
def test_each_format_is_written_and_shown_as_the_page_can(pack, output, choice):
    name, key, plays, codecs = SHOWN[choice]
    _, shown = results(pack, format=choice, audio=a_second_of_sound(), images=FRAMES.repeat(3, 1, 1, 1))
    path = output / "clips" / name
    with av.open(str(path)) as container:
        assert [stream.codec_context.name for stream in container.streams] == codecs
    folder = "clips" if path.parent.name == "clips" else "clips/EMO_00001_"
    film = {"filename": path.name, "subfolder": folder, "type": "output"}
    heard = {"filename": "EMO_00001_.sound.wav", "subfolder": "clips", "type": "output"}
    sound = {"audio": [heard]} if len(codecs) == 1 else {}
    assert shown == {key: [film]} | sound | ({"animated": [True]} if plays else {})
    track = load_audio(output / "clips" / heard["filename"] if sound else path)
    assert 0 <= track.waveform.shape[1] / track.sample_rate - 9 / 25 < 1024 / 16000
    assert track.waveform.abs().max() > 0.3


@pytest.mark.parametrize("choice", SHOWN)
def test_core_reads_the_video_of_each_format(pack, output, choice, tmp_path):
    """Get Video Components and Save Video, as core has them."""
    y, x = torch.meshgrid(torch.arange(32) / 32, torch.arange(48) / 48, indexing="ij")
    frames = torch.stack([torch.stack([x, y, torch.full_like(x, k / 8)], -1) for k in range(8)])
    video, _ = results(pack, format=choice, audio=a_second_of_sound(), images=frames, fps=12.5)
    parts = video.get_components()
    assert parts.images.shape == frames.shape and abs(float(parts.frame_rate) - 12.5) < 1e-6
    assert (parts.images - frames).abs().mean() < 0.03
    seconds = parts.audio["waveform"].shape[-1] / parts.audio["sample_rate"]
    assert -0.021 < seconds - 0.64 < 0.07  # the oldest core reads Opus without its first packet
    assert 0.3 < parts.audio["waveform"].abs().max() < 0.6
    assert video.get_dimensions() == (48, 32)
    assert abs(video.get_duration() - 0.64) < 0.07
    from comfy_api.latest import Types

    video.save_to(str(tmp_path / "saved.mp4"), format=Types.VideoContainer("auto"), codec="auto", metadata={})
    assert len(read_video(tmp_path / "saved.mp4")[0]) == 8


def test_png_frames_hold_the_pictures_exactly_and_the_graph_in_the_first(pack, output, monkeypatch):
    tags = {"prompt": '{"1": {}}', "workflow": '{"name": "写真"}'}
    monkeypatch.setattr(pack.module("nodes.frames_to_video"), "graph_tags", lambda hidden: tags)
    video, _ = results(pack, format="png frames", filename_prefix="EMO")
    pictures = [Image.open(path) for path in sorted((output / "EMO_00001_").iterdir())]
    shown = torch.stack([torch.tensor(np.array(picture)) for picture in pictures])
    assert torch.equal(shown, (FRAMES * 255).round().byte())
    assert torch.equal(video.get_components().images, shown / 255)
    assert [{name: picture.info.get(name) for name in tags} for picture in pictures] == [
        tags,
        *[dict.fromkeys(tags)] * 2,
    ]


def test_numbers_count_on_over_formats(pack, output):
    for number, choice in enumerate(SHOWN, 1):
        _, shown = results(pack, format=choice, audio=a_second_of_sound(), filename_prefix="EMO")
        (film,) = shown[SHOWN[choice][1]]
        assert f"EMO_{number:05}_" in f"{film['subfolder']}/{film['filename']}"


def test_an_encoder_that_is_not_there_is_said_before_the_run(pack, output, monkeypatch):
    monkeypatch.setattr(
        pack.module("emo_modules.media.formats"), "has_encoder", lambda name: name != "libvpx-vp9"
    )
    said = validate(pack, "EMO", format="webm (VP9)")
    assert said.startswith("the format vp9 needs the encoder libvpx-vp9, which this build of PyAV")
    assert said.endswith("choose h264, prores, gif or png, or install PyAV from PyPI")
    assert validate(pack, None, format="webm (VP9)") == said  # where the prefix comes over a wire
    assert validate(pack, "EMO", format="gif") is True
    assert formats.has_encoder("libvpx-vp9"), "the pack has modules of its own in ComfyUI"


@pytest.mark.parametrize("given", ["avi", ["gif"], 3])
def test_another_format_is_refused_with_the_list(pack, output, given):
    said = validate(pack, "EMO", format=given)
    assert "format" in said and "png frames" in said
    with pytest.raises(ValueError, match="format"):
        write(pack, format=given)
    assert list(output.iterdir()) == []


def test_more_frames_than_players_show_of_a_gif_are_refused(pack, output):
    with pytest.raises(ValueError, match="at most 50 frames per second of a gif, got 60"):
        write(pack, format="gif", fps=60.0)
    assert list(output.iterdir()) == []


def test_the_format_is_the_last_input_so_that_saved_workflows_keep_their_widgets(pack):
    schema = pack.nodes.NODE_CLASS_MAPPINGS["FramesToVideo"].GET_SCHEMA()
    *_, last = schema.inputs
    assert (last.id, last.optional, last.default, last.options) == (
        "format", True, "mp4 (H.264)", list(SHOWN),
    )  # fmt: skip


def test_the_page_knows_which_formats_its_player_plays(pack):
    script = (ROOT / "web/js/film_preview.mjs").read_text(encoding="utf-8")
    (played,) = re.findall(r"const PLAYED = (\[.*\]);", script)
    choices = pack.module("nodes.managed.films").CHOICES
    assert json.loads(played) == [name for name, choice in choices.items() if choice.plays]


def test_lists_make_one_film_each_and_of_one_video_the_sounds_are_mixed(pack, output):
    from_sampler = {"fps": [25.0, 25.0], "audio": [a_second_of_sound(), a_second_of_sound()]}
    widgets = {"filename_prefix": ["EMO"], "save_output": [True], "crf": [18]}
    (films,) = pack.run_lists("FramesToVideo", images=[FRAMES, FRAMES[:2]], **from_sampler, **widgets)
    assert [len(film.get_components().images) for film in films] == [3, 2]
    (films,) = pack.run_lists("FramesToVideo", images=[FRAMES], **from_sampler, **widgets)
    alone = load_audio(write(pack, audio=a_second_of_sound())).waveform
    mixed = load_audio(films[0].get_stream_source()).waveform
    assert len(films) == 1 and len(list(output.glob("*.mp4"))) == 4
    assert mixed.abs().max() > 1.3 * alone.abs().max()
