"""Several people of one picture speak: `converse`, and what it is made of."""

import pytest
import torch
from PIL import Image
from skimage import data

from emo_modules.cli import main
from emo_modules.cues.box import Box
from emo_modules.media.audio import Audio
from emo_modules.media.conversation import at_once, in_turn
from emo_modules.media.image import as_float_image
from emo_modules.media.video import read_video
from emo_modules.options import Options
from emo_modules.together import animate_together, faces_of

LEFT, RIGHT = Box(20, 16, 50, 52), Box(150, 16, 180, 52)


@pytest.fixture(scope="module")
def pair(portrait) -> torch.Tensor:
    return torch.cat([portrait, torch.full((len(portrait), 46, 3), 0.5), portrait.flip(1)], dim=1)


@pytest.fixture
def voices(tones) -> list[Audio]:
    return [Audio(tones(0.3, 16000)[0]), Audio(tones(0.2, 16000)[0])]


def frames_of(animation) -> torch.Tensor:
    return torch.cat(list(animation.frames))


def test_each_face_is_pasted_as_if_it_spoke_alone(tiny_pipeline, pair, voices):
    talk = at_once(voices)
    together = animate_together(tiny_pipeline, pair, talk, [LEFT, RIGHT], Options(seed=3))
    frames = frames_of(together)
    assert frames.shape == (8, *pair.shape) and together.count == 8
    assert together.audio.waveform.shape[-1] == 8 * 640
    alone = tiny_pipeline.animate(pair, talk.voices[1], Options(seed=4, box=RIGHT))
    crop = alone.prepared.crop
    # the middle of the right face is its own video's, made as large as the crop is in the picture
    x, y = (int(value) for value in RIGHT.centre)
    theirs = torch.nn.functional.interpolate(
        frames_of(alone).movedim(-1, 1), (int(crop.box.height), int(crop.box.width)), mode="bilinear"
    ).movedim(1, -1)[:, y - int(crop.box.y0), x - int(crop.box.x0)]
    assert (frames[:, y, x] - theirs).abs().mean() < 0.1
    assert torch.equal(frames[:, :, pair.shape[1] // 2], pair[None, :, pair.shape[1] // 2].expand(8, -1, -1))


def test_a_stop_ends_all_of_them_together(tiny_pipeline, pair, voices):
    clips = []
    animation = animate_together(
        tiny_pipeline, pair, at_once(voices), [LEFT, RIGHT], Options(), clips.append, lambda: True
    )
    assert len(frames_of(animation)) == 4, "one clip of each"
    assert {progress.clip for progress in clips} == {1, 2} and {each.clips for each in clips} == {4}


def test_the_sound_begins_where_the_video_does(tiny_pipeline, pair, voices):
    talk = in_turn(voices, pause=0.1)
    animation = animate_together(tiny_pipeline, pair, talk, [LEFT, RIGHT], Options(start=0.2))
    assert animation.count == 10 and len(frames_of(animation)) == 10
    assert torch.equal(animation.audio.waveform[0, :1600], talk.mixed.waveform[0, 3200:4800])


def test_boxes_and_voices_must_pair_up(tiny_pipeline, pair, voices):
    with pytest.raises(ValueError, match="2 people speak, but there are 1 boxes"):
        animate_together(tiny_pipeline, pair, at_once(voices), [LEFT], Options())


def test_people_without_boxes_speak_from_left_to_right():
    astronaut = as_float_image(torch.from_numpy(data.astronaut()[:256, 96:352]))
    small = (
        torch.nn.functional.interpolate(astronaut.movedim(-1, 0)[None], (200, 200)).squeeze(0).movedim(0, -1)
    )
    beside = torch.cat([torch.nn.functional.pad(small, (0, 0, 0, 0, 0, 56)), astronaut], dim=1)
    left, right = faces_of(beside, 2)
    assert left.centre[0] < 200 < right.centre[0] and left.area < right.area
    with pytest.raises(ValueError, match="3 people are to speak, but 2 faces were found"):
        faces_of(beside, 3)


def test_converse_writes_one_film_with_the_sound_of_all(tmp_path, tiny_checkpoint, pair, sound_file, capsys):
    picture, output = tmp_path / "pair.png", tmp_path / "talk.mp4"
    Image.fromarray((pair * 255).byte().numpy()).save(picture)
    sounds = [sound_file(0.3).rename(tmp_path / "a.wav"), sound_file(0.2).rename(tmp_path / "b.wav")]
    boxes = [str(edge) for box in (LEFT, RIGHT) for edge in ("--box", box.x0, box.y0, box.x1, box.y1)]
    arguments = [picture, *sounds, "-o", output, "--checkpoint", tiny_checkpoint, *boxes, "--pause", "0.1"]
    assert main(["converse", *map(str, arguments)]) == 0, capsys.readouterr().err
    frames, _, sound, rate = read_video(output)
    assert frames.shape == (15, *pair.shape)
    assert sound.shape[1] >= 0.6 * rate
    pause, second = (
        sound[0, int(0.33 * rate) : int(0.37 * rate)],
        sound[0, int(0.45 * rate) : int(0.55 * rate)],
    )
    assert second.square().mean() > 100 * pause.square().mean()
    assert "2 speakers, 15 frames" in capsys.readouterr().out


def test_turns_take_one_sound_apart(tmp_path, tiny_checkpoint, pair, sound_file, capsys):
    picture, turns = tmp_path / "pair.png", tmp_path / "turns.txt"
    Image.fromarray((pair * 255).byte().numpy()).save(picture)
    turns.write_text("1 0 0.1\n2 0.1 to\n")
    sound = sound_file(0.2)
    arguments = [picture, sound, "-o", tmp_path / "talk.mp4", "--turns", turns]
    assert main(["converse", *map(str, arguments)]) == 1
    assert "line 2 of the turns, '2 0.1 to'" in capsys.readouterr().err
    assert main(["converse", *map(str, [*arguments[:2], sound, *arguments[2:]])]) == 1
    assert "2 sounds are given, but the turns say who speaks in one" in capsys.readouterr().err
