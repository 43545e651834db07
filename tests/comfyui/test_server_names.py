"""Names of written files, over the wires and words that a real server resolves."""

from datetime import datetime

import pytest

from .harness import Prompt, Server
from .prompts import node


def video(prefix: object, **more: dict) -> Prompt:
    settings = {"images": ["picture", 0], "fps": 10.0, "save_output": True, "crf": 18}
    return {
        "picture": node("EmptyImage", width=32, height=16, batch_size=3, color=0x00FF00),
        "video": node("FramesToVideo", filename_prefix=prefix, **settings),
    } | more


def test_a_name_may_come_over_a_wire(server: Server) -> None:
    run = server.run(video(["name", 0], name=node("PrimitiveString", value="wired/%width%")))
    assert run.error == ""
    assert (run.video["subfolder"], run.video["filename"]) == ("wired", "32_00001_.mp4")
    assert server.clip(run.video).frames.shape == (3, 16, 32, 3)


@pytest.mark.parametrize("name", ["../escaped", "/escaped", "a:b", "n" * 300])
def test_what_may_not_be_written_is_refused_when_it_comes(server: Server, name: str) -> None:
    run = server.run(video(["name", 0], name=node("PrimitiveString", value=name)))
    assert run.failed_node == "FramesToVideo"
    assert any(cause in run.error for cause in ("leaves the output folder", "Windows", "too long"))


def test_words_of_core_and_of_the_page_are_filled_in(server: Server) -> None:
    before = datetime.now()
    run = server.run(video("%date:yyyy-MM-dd%/%EmptyImage.width%x%height%"))
    assert run.error == ""
    assert run.video["subfolder"] in {f"{time:%Y-%m-%d}" for time in (before, datetime.now())}
    assert run.video["filename"] == "32x16_00001_.mp4"
