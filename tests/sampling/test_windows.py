"""Windows over the whole video, for weights without motion frames: where they lie, what is asked and held."""

import weakref
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import pytest
import torch
from torch import Tensor

from emo_modules.models.conditions import Conditions
from emo_modules.quirks import WindowConfig
from emo_modules.sampling.clips import Driving, clip_count, noise_for, render_clips
from emo_modules.sampling.solver import Solver
from emo_modules.sampling.windows import Windows, window_frames

from ..relatives import RELEASED, Scene, random_emo, small

ECHOMIMIC, POSE, V_EXPRESS = (
    RELEASED[n].config.quirks.windows for n in ("echomimic", "echomimic_pose", "v_express")
)
CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def no_gradients():
    with torch.no_grad():
        yield


def numbers(frames: int, config: WindowConfig, step: int = 0) -> list[list[int]]:
    return [window.tolist() for window in window_frames(frames, config, step)]


@pytest.mark.parametrize(
    "config", [ECHOMIMIC, POSE, V_EXPRESS, WindowConfig(4, 0), WindowConfig(5, 4, "inside", 1)]
)
def test_every_frame_is_in_a_window_at_every_length_and_step(config):
    for frames in range(1, 101):
        for step in (0, 1, 7):
            windows = numbers(frames, config, step)
            assert {f for window in windows for f in window} == set(range(frames))
            assert {len(window) for window in windows} == {min(frames, config.frames)}
            assert all(len(set(window)) == len(window) for window in windows)
            for window in windows:  # frame after frame, perhaps over the end
                assert window == [(window[0] + k) % frames for k in range(len(window))]


def test_echomimics_windows_wrap_around():
    ring = list(range(20)) + list(range(20))
    assert numbers(20, ECHOMIMIC) == [ring[0:12], ring[9:21], ring[18:30]]
    assert numbers(20, ECHOMIMIC, 1) == [ring[2:14], ring[11:23], ring[20:32]]
    assert numbers(20, POSE, 1) == [ring[3:15], ring[12:24], ring[1:13]]
    assert numbers(20, ECHOMIMIC, 10) == numbers(20, ECHOMIMIC, 0)


def test_v_express_stays_inside_and_where_it_is():
    starts = [window[0] for window in numbers(70, V_EXPRESS)]
    assert starts == [0, 20, 40, 46]
    assert numbers(70, V_EXPRESS, 9) == numbers(70, V_EXPRESS)
    assert [w[0] for w in numbers(64, V_EXPRESS)] == [0, 20, 40]  # V-Express's own lengths: 20 n + 4


@pytest.mark.parametrize("config", [ECHOMIMIC, V_EXPRESS])
def test_a_video_that_fits_is_one_window(config):
    for frames in (1, config.frames):
        assert numbers(frames, config) == [list(range(frames))]
    assert len(numbers(config.frames + 1, config)) == 2


def averaged(x: Tensor, config: WindowConfig, step: int, predict=None, device=CPU) -> Tensor:
    predict = predict or (lambda part, frames: 3 * part + frames[:, None, None, None])
    return Windows(config, lambda frames: frames, device).average(x, step, predict)


@pytest.mark.parametrize("config", [ECHOMIMIC, V_EXPRESS])
@pytest.mark.parametrize("frames", [5, 12, 13, 24, 31, 60])
def test_the_average_of_what_each_frame_is_mapped_to_is_that(config, frames):
    x = torch.randn(frames, 2, 3, 4)
    for step in (0, 3):
        expected = 3 * x + torch.arange(frames)[:, None, None, None]
        assert (averaged(x, config, step) - expected).abs().max() < 1e-5 * frames


def test_overlapping_windows_weigh_the_same():
    """Two windows of 4 over 6 frames: the middle is in both."""
    calls: Iterator[int] = iter([1, 5])
    found = averaged(
        torch.zeros(6, 1, 1, 1), WindowConfig(4, 2, "inside", 0), 0, lambda part, _: part + next(calls)
    )
    assert found.flatten().tolist() == [1, 1, 3, 3, 5, 5]


def test_half_precision_is_summed_in_full():
    x = torch.randn(13, 1, 2, 2).bfloat16()
    assert averaged(x, ECHOMIMIC, 0, lambda part, _: part).dtype == torch.float32
    assert torch.equal(averaged(x, ECHOMIMIC, 0, lambda part, _: part), x.float())


@dataclass
class Recorder:
    """Stands for a model: remembers how much it is asked for at once, and which conditions are alive."""

    config: object
    asked: list[int] = field(default_factory=list)
    made: list[weakref.ref] = field(default_factory=list)
    alive: list[int] = field(default_factory=list)

    def clip(self, video, frames, audio, speeds, pictures, code) -> Conditions:
        found = Conditions(frames, [], [], torch.zeros(1, 1, 1, 1), audio.mean().expand(frames, 1, 1, 1))
        self.made.append(weakref.ref(found))
        self.alive.append(sum(made() is not None for made in self.made))
        return found

    def predict(self, x: Tensor, timesteps: Tensor, conditions: Conditions) -> Tensor:
        assert len(x) == len(timesteps) == conditions.frames
        self.asked.append(len(x))
        return x * 0.5


@dataclass
class Video:
    portrait: Tensor = field(default_factory=lambda: torch.zeros(1, 4, 2, 2))


def rendered(frames: int, cfg: float = 2.5) -> tuple[Recorder, list[Tensor]]:
    config = small("echomimic")
    model = Recorder(config)
    driving = Driving(torch.randn(3 * frames, config.audio.layers, 384), None)
    noise = noise_for(config, frames, (2, 2), 0, CPU, torch.float32)
    solver = Solver(model, config.schedule.solver, 2, cfg)
    return model, list(render_clips(model, Video(), driving, frames, solver, noise))


@pytest.mark.parametrize("frames", [9, 30, 300])
def test_one_window_is_asked_for_and_held_whatever_the_length(frames):
    model, clips = rendered(frames)
    assert sum(map(len, clips)) == frames
    assert max(model.asked) == min(frames, 12)
    assert max(model.alive) == 1
    assert all(made() is None for made in model.made)
    steps, guidance = 2, 2
    assert len(model.asked) == guidance * len(model.made) == guidance * steps * max(1, -(-frames // 9))


def test_the_solver_runs_once_for_all_windows():
    model, clips = rendered(30)
    assert [len(clip) for clip in clips] == [12, 12, 6]
    assert clip_count(30, model.config) == 1
    assert clip_count(30, small("hallo")) == 2


@pytest.mark.parametrize("name", ["echomimic", "echomimic_pose", "v_express"])
def test_a_short_video_equals_one_clip_without_windows(name):
    """With real weights; shift 0, since a rotated clip stands at other places in time."""
    config = small(name)
    windows = replace(config.quirks.windows, shift=0)
    config = replace(config, quirks=replace(config.quirks, windows=windows))
    model, frames = random_emo(config), 7
    scene = Scene.random(config, frames)
    video = model.conditioner().video(scene.portrait, scene.picture)
    rows = torch.randn(3 * frames, config.audio.layers, config.audio.feature_dim)
    driving = Driving(rows, None, scene.pictures)
    solver = Solver(model, config.schedule.solver, 2, 1.5)
    whole = torch.cat(list(render_clips(model.conditioner(), video, driving, frames, solver, [scene.noise])))
    plain = replace(config, quirks=replace(config.quirks, windows=None))
    alone = random_emo(plain)
    one = Solver(alone, config.schedule.solver, 2, 1.5)
    clip = torch.cat(list(render_clips(alone.conditioner(), video, driving, frames, one, [scene.noise])))
    assert torch.equal(whole, clip)


def test_each_window_has_the_sound_and_pictures_of_its_own_frames():
    """A prediction that reads one frame's own inputs is not changed by windows that wrap around."""
    config = small("echomimic_pose")
    seen = {}

    class Model(Recorder):
        def clip(self, video, frames, audio, speeds, pictures, code) -> Conditions:
            for sound, picture in zip(audio[0], pictures, strict=True):
                number = int(picture.flatten()[0])
                seen.setdefault(number, set()).add(tuple(sound.flatten()[:: 2 * 384].tolist()))
            return super().clip(video, frames, audio, speeds, pictures, code)

    frames = 20
    rows = torch.arange(60.0)[:, None, None].expand(60, config.audio.layers, 384)
    pictures = torch.arange(float(frames))[:, None, None, None].expand(frames, 3, 16, 16)
    model = Model(config)
    solver = Solver(model, config.schedule.solver, 3, 1.0)
    noise = noise_for(config, frames, (2, 2), 0, CPU, torch.float32)
    list(render_clips(model, Video(), Driving(rows, None, pictures), frames, solver, noise))
    assert set(seen) == set(range(frames))
    for number, sounds in seen.items():
        first = int(number * 50 / 24) - 4  # two frames of two rows each before the frame's own
        expected = tuple(float(min(max(first + k, 0), 59)) for k in range(10))
        assert sounds == {expected}
