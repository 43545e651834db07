"""Several people through the nodes of one: ComfyUI runs those in the middle once for each."""

import numpy as np

from .files import Inputs
from .harness import Prompt, Server
from .prompts import node, only, talking

LEFT = {"box_x": 175, "box_y": 60, "box_width": 105, "box_height": 115}
RIGHT = (687, 60, 105, 115)


def two_people(picture: str) -> Prompt:
    """The prompt of one person, with a second face and a paste into the picture."""
    prompt = talking(0.2)
    prompt["example"] = node("LoadImage", image=picture)
    prompt["sound"] = node("EMOExample")
    only(prompt, "TrimAudioDuration")["audio"] = ["sound", 1]
    only(prompt, "FaceRegionMask").update(LEFT, more_faces=", ".join(map(str, RIGHT)))
    prompt["frames"] = node("VAEDecode", samples=["sampler", 0], vae=["model", 2])
    prompt["back"] = node(
        "EMOPasteBack", images=["frames", 0], original=["example", 0], crop=["face", 2], feather=8
    )
    video = {"fps": 25.0, "filename_prefix": "video/EMO", "save_output": True, "crf": 10}
    prompt["video"] = node("FramesToVideo", images=["back", 0], **video)
    return prompt


def test_two_people_in_one_picture_become_one_video(server: Server, inputs: Inputs) -> None:
    run = server.run(two_people(inputs.photo("two people.png", faces=2)))
    assert (run.status, run.error) == ("success", "")
    (shown,) = run.outputs["face"]["emo_face"]
    assert shown["boxes"] == [[*LEFT.values()], [*RIGHT]] and shown["further"] == 1
    assert any("2 faces: the nodes that follow run once for each" in text for text in run.texts)
    frames = server.clip(run.video).frames.astype(float)
    assert frames.shape == (5, 512, 1024, 3)
    moved = frames.std(axis=0).mean(axis=-1)
    left, right, below = moved[60:175, 175:280], moved[60:175, 687:792], moved[400:]
    assert min(left.mean(), right.mean()) > 10 * below.mean()
    # the same face and sound, but not the same performance
    assert np.abs(frames[:, 60:175, 175:280] - frames[:, 60:175, 687:792]).mean() > 2


def test_a_line_that_is_no_face_stops_the_run_with_the_line(server: Server, inputs: Inputs) -> None:
    prompt = two_people(inputs.photo("two people.png", faces=2))
    only(prompt, "FaceRegionMask")["more_faces"] = "1, 2, 3"
    run = server.run(prompt)
    assert run.failed_node == "FaceRegionMask" and "got '1, 2, 3'" in run.error


def test_the_route_answers_with_all_faces(server: Server, inputs: Inputs) -> None:
    name = inputs.photo("two people.png", faces=2)
    told = server.get("/emo_portrait/face", filename=name, type="input", face_index=1)
    assert len(told["boxes"]) == 2 and told["box"] == told["boxes"][1]
    assert abs(told["boxes"][0][0] - told["boxes"][1][0]) > 300
