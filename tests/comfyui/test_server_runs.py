"""One run and the next: progress, previews, clips for the page, seeds, cancelling, memory."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from .harness import Event, Run, Server
from .prompts import node, talking

STEPS = 2  # of the small model
CLIP = 12
FRAMES = 25  # one second
CLIPS = 3
GROWTH_BYTES = 8 * 2**20


@pytest.fixture(scope="module")
def one_second(server: Server) -> Run:
    run = server.run(talking())
    assert (run.status, run.error) == ("success", "")
    return run


def test_progress_is_one_bar_over_all_clips_and_steps(one_second: Run) -> None:
    told = [event.data for event in one_second.of("progress") if event.data["node"] == "sampler"]
    assert {data["max"] for data in told} == {CLIPS * STEPS}
    values = [data["value"] for data in told]
    assert values == sorted(values)
    assert set(range(1, CLIPS * STEPS + 1)) <= set(values)


def test_every_step_shows_a_picture(one_second: Run) -> None:
    assert one_second.previews >= CLIPS * STEPS


def test_clips_reach_the_page_in_order_with_their_sound(one_second: Run, server: Server) -> None:
    clips = [event.data for event in one_second.of("emo.clip")]
    assert [clip["clip"] for clip in clips] == list(range(CLIPS))
    assert {clip["clips"] for clip in clips} == {CLIPS}
    assert {clip["node"] for clip in clips} == {"sampler"}
    assert {(clip["fps"], clip["sample_rate"]) for clip in clips} == {(25.0, 16000)}
    assert [len(clip["frames"]) for clip in clips] == [12, 12, 1]
    sounds = [np.frombuffer(base64.b64decode(clip["sound"]), "<i2") for clip in clips]
    assert [len(sound) for sound in sounds] == [12 * 640, 12 * 640, 640]
    assert np.concatenate(sounds).std() > 300
    video = server.clip(one_second.video).frames
    for clip, start in zip(clips, range(0, FRAMES, CLIP), strict=True):
        for offset, frame in enumerate(clip["frames"]):
            picture = Image.open(io.BytesIO(base64.b64decode(frame)))
            assert (picture.format, picture.size) == ("JPEG", (128, 128))
            difference = np.asarray(picture, float) - video[start + offset]
            assert np.abs(difference).mean() < 6


def test_without_preview_nothing_is_sent_to_the_page(server: Server) -> None:
    run = server.run(talking(0.1, preview=False))
    assert run.status == "success"
    assert run.of("emo.clip") == []
    assert run.of("progress") != []


def test_the_same_seed_gives_the_same_frames_and_another_seed_others(one_second: Run, server: Server) -> None:
    # Without preview the prompt is another one, so that nothing comes from ComfyUI's cache, or from ours.
    server.delete("/emo_portrait/clips")
    run = server.run(talking(seed=1, preview=False))
    assert "sampler" in [event.data["node"] for event in run.of("executing")]
    first, again = server.clip(one_second.video), server.clip(run.video)
    assert run.video != one_second.video
    assert np.array_equal(first.frames, again.frames)
    other = server.clip(server.run(talking(seed=2)).video)
    assert np.abs(first.frames.astype(int) - other.frames).mean() > 0.5


def test_an_unchanged_prompt_is_not_rendered_again(server: Server) -> None:
    server.run(talking(0.1, seed=5))
    prompt = talking(0.1, seed=5)
    prompt["video"]["inputs"]["filename_prefix"] = "video/again"
    run = server.run(prompt)
    assert run.status == "success"
    cached = run.of("execution_cached")[0].data["nodes"]
    assert {"model", "encoder", "face", "reference", "sampler"} <= set(cached)


def cancelled(server: Server, seed: int, steps: int = 6) -> tuple[Run, list[Event]]:
    """A minute of audio, interrupted when the progress of that many steps was told."""
    told: list[Event] = []

    def cancel(event: Event) -> None:
        if event.type == "progress" and event.data["node"] == "sampler":
            told.append(event)
            if len(told) == steps:
                server.interrupt()

    prompt = talking(60, seed=seed)
    prompt["audio"] = node("EmptyAudio", duration=60.0, sample_rate=16000, channels=1)
    prompt["video"]["inputs"]["filename_prefix"] = "cancelled"
    return server.run(prompt, cancel), told


def test_cancelling_stops_within_a_step_and_the_next_prompt_runs(server: Server) -> None:
    run, told = cancelled(server, seed=9)
    (interrupted,) = run.of("execution_interrupted")
    assert interrupted.data["node_id"] == "sampler"
    assert told[-1].data["max"] == 250
    # The progress of a step is told at its end: the one being computed and its successor's start may pass.
    assert len(told) <= 6 + 2
    slowest = max(later.at - earlier.at for earlier, later in zip(told, told[1:], strict=False))
    assert interrupted.at - told[5].at < 2 * slowest + 0.5
    assert list((server.base / "output").glob("cancelled*")) == []
    assert server.run(talking(0.2, seed=10)).status == "success"


def test_runs_in_a_row_do_not_grow_the_servers_memory(server: Server) -> None:
    sizes = []
    for seed in range(20, 25):
        assert server.run(talking(seed=seed)).status == "success"
        sizes.append(server.resident_bytes)

    assert min(sizes[-2:]) - max(sizes[:2]) < GROWTH_BYTES


def test_cancelled_runs_do_not_grow_it_either(server: Server) -> None:
    sizes = []
    for seed in range(30, 34):
        assert cancelled(server, seed)[0].status == "error"
        sizes.append(server.resident_bytes)
    assert sizes[-1] - max(sizes[:2]) < GROWTH_BYTES
