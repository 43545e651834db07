"""What a server that was killed, cancelled or stopped has kept, and what an edit costs."""

from pathlib import Path

import numpy as np
import pytest

from .harness import PACK_FOLDER, Event, Run, Server
from .prompts import node, talking
from .releases import write_small

FRAMES, CLIP, STEPS = 75, 12, 2  # three seconds of the small model: seven clips
SECONDS = 3.0


def computed(run: Run) -> int:
    """Clips that took steps: those that were kept tell of none."""
    told = [event.data["value"] for event in run.of("progress") if event.data["node"] == "sampler"]
    return len({(value - 1) // STEPS for value in told})


def frames_of(server: Server, run: Run) -> np.ndarray:
    assert (run.status, run.error) == ("success", "")
    return server.clip(run.video).frames


def test_a_killed_server_goes_on_where_it_was(
    comfyui_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EMO_CLIPS", str(tmp_path / "clips"))
    write_small(tmp_path / "models" / "emo")
    websocket = pytest.importorskip("websocket")
    prompt = talking(SECONDS, seed=7)

    def kill(event: Event) -> None:
        if event.type == "emo.clip" and event.data["clip"] == 3:
            first.process.kill()

    with (
        Server(comfyui_path, tmp_path) as first,
        pytest.raises((ConnectionError, websocket.WebSocketException)),
    ):
        first.run(prompt, kill)
    (tmp_path / "custom_nodes" / PACK_FOLDER).unlink()
    with Server(comfyui_path, tmp_path) as second:
        run = second.run(prompt)
        frames = frames_of(second, run)
        assert computed(run) in (2, 3)  # four of seven were there, or five: killing takes its time
        second.delete("/emo_portrait/clips")
        undisturbed = second.run(talking(SECONDS, seed=7, preview=False))
        assert computed(undisturbed) == 7
        assert np.array_equal(frames, frames_of(second, undisturbed))


def test_a_changed_curve_preview_or_quality_costs_what_it_changes(server: Server) -> None:
    curve = "0:12, 2.4:12, 2.44:30"  # changes a fifth before the end, with frame 60
    base = talking(SECONDS, seed=8)
    first = server.run(base)
    assert computed(first) == 7
    switched = server.run(talking(SECONDS, seed=8, preview=False))
    assert computed(switched) == 0
    assert np.array_equal(frames_of(server, switched), frames_of(server, first))
    edited = talking(SECONDS, seed=8)
    edited["speed"] = node("EMOHeadSpeed", mode="curve", speed=12.0, curve=curve, fps=25.0)
    edited["sampler"]["inputs"]["speed"] = ["speed", 0]
    run = server.run(edited)
    assert computed(run) == 2
    before, after = (frames_of(server, each).astype(int) for each in (first, run))
    # H.264 looks ahead, so that equal frames before others are not coded quite alike
    assert np.abs(after[:48] - before[:48]).mean() < 0.5
    finer = talking(SECONDS, seed=8)
    finer["video"]["inputs"]["crf"] = 10
    again = server.run(finer)
    assert computed(again) == 0


def test_stop_and_keep_ends_with_the_clip_and_the_next_run_goes_on(server: Server) -> None:
    def stop(event: Event) -> None:
        if event.type == "emo.clip" and event.data["clip"] == 1:
            server.post("/emo_portrait/stop/sampler", {})

    run = server.run(talking(SECONDS, seed=9), stop)
    kept = server.clip(run.video)
    assert run.status == "success"
    assert len(kept.frames) in (2 * CLIP, 3 * CLIP)  # the press may meet the next clip
    assert kept.sound.shape[1] / kept.sample_rate == pytest.approx(len(kept.frames) / 25, abs=0.05)
    assert any(f"stopped after {len(kept.frames)} of {FRAMES} frames" in text for text in run.texts)
    run = server.run(talking(SECONDS, seed=9))
    assert len(frames_of(server, run)) == FRAMES
    assert computed(run) == 7 - len(kept.frames) // CLIP
    assert server.run(talking(SECONDS, seed=9)).of("executing")[:-1] == []  # as if it had never been stopped


def test_a_press_before_a_run_does_not_stop_it(server: Server) -> None:
    server.post("/emo_portrait/stop/sampler", {})
    assert len(frames_of(server, server.run(talking(SECONDS, seed=10)))) == FRAMES


def test_the_kept_clips_are_shown_and_emptied(server: Server) -> None:
    server.delete("/emo_portrait/clips")
    server.run(talking(SECONDS, seed=11))
    shown = server.get("/emo_portrait/clips")
    assert shown["count"] == 7 and shown["bytes"] > 0
    assert server.delete("/emo_portrait/clips") == shown
    assert server.get("/emo_portrait/clips") == {"count": 0, "bytes": 0}


def test_a_video_goes_on_from_anothers_latents_without_a_jump(server: Server) -> None:
    whole = frames_of(server, server.run(talking(SECONDS, seed=12))).astype(int)
    prompt = talking(SECONDS, seed=12, start_time=1.44)
    short = talking(1.44, seed=12)
    prompt["half"] = node("TrimAudioDuration", audio=["example", 1], start_index=0.0, duration=1.44)
    prompt["first"] = short["sampler"] | {"inputs": short["sampler"]["inputs"] | {"audio": ["half", 0]}}
    prompt["sampler"]["inputs"]["previous"] = ["first", 0]
    run = server.run(prompt)
    rest = frames_of(server, run).astype(int)
    assert len(rest) == FRAMES - 36
    sound = server.clip(run.video)
    assert sound.sound.shape[1] / sound.sample_rate == pytest.approx(len(rest) / 25, abs=0.05)
    steps = np.abs(np.diff(whole, axis=0)).mean((1, 2, 3))
    assert np.abs(rest[0] - whole[35]).mean() < 1.5 * steps.max()


def test_a_video_that_is_too_short_to_go_on_from_is_said(server: Server) -> None:
    prompt = talking(0.5, seed=13)
    prompt["tiny"] = node("LatentFromBatch", samples=["first", 0], batch_index=0, length=1)
    short = talking(0.5, seed=13)
    prompt["first"] = short["sampler"]
    prompt["sampler"]["inputs"] |= {"previous": ["tiny", 0], "seed": 14}
    assert "goes on from the last 4 frames, previous has 1" in server.run(prompt).error


@pytest.mark.parametrize("start", [9.0])
def test_a_start_beyond_the_sound_is_said(server: Server, start: float) -> None:
    assert "the sound ends after 1.00 s" in server.run(talking(1.0, seed=15, start_time=start)).error
