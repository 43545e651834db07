"""The client in docs/many-jobs.md, as it stands there, against a running server."""

import json
import re
import subprocess
import sys

import numpy as np
import soundfile

from .files import Inputs
from .harness import PACK, Server
from .prompts import api_prompt, with_own_files, with_small_model

NAME = "EMO your own photo and audio"


def client() -> str:
    text = (PACK / "docs" / "many-jobs.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"^```python\n(.*?)^```", text, re.M | re.S)
    return block


def test_the_documents_client_renders_each_row(server: Server, tmp_path, tones) -> None:
    (tmp_path / "faces").mkdir()
    Inputs(tmp_path / "faces").photo("anna.png")
    soundfile.write(tmp_path / "short.wav", tones(0.2, 16000).T.numpy(), 16000)
    soundfile.write(tmp_path / "long.wav", tones(0.6, 16000).T.numpy(), 16000)
    (tmp_path / "broken.wav").write_bytes(b"no sound")
    rows = ["short.wav,1", "long.wav,1", "long.wav,2", "broken.wav,1", "nothing.wav,1", "short.wav,"]
    (tmp_path / "jobs.csv").write_text(
        "portrait,audio,seed\n" + "".join(f"faces/anna.png,{row}\n" for row in rows)
    )
    workflow = with_small_model(with_own_files(api_prompt(NAME), "", ""))
    (tmp_path / "workflow_api.json").write_text(json.dumps(workflow))
    (tmp_path / "client.py").write_text(client())
    done = subprocess.run(
        [sys.executable, "client.py", server.url, "workflow_api.json", "jobs.csv"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    said = done.stdout.splitlines()
    assert [line.partition(":")[0] for line in said] == [
        "row 1", "row 2", "row 3", "row 4 failed", "row 5 failed", "row 6",
    ]  # fmt: skip
    assert "nothing.wav" in said[4]
    films = [server.clip(place(said[row])) for row in (0, 1, 2, 5)]
    assert [len(film.frames) for film in films] == [5, 15, 15, 5]
    assert np.abs(films[1].frames.astype(int) - films[2].frames).mean() > 0.5, "the seed is the row's"


def place(line: str) -> dict[str, str]:
    subfolder, _, filename = line.split(": ")[1].rpartition("/")
    return {"filename": filename, "subfolder": subfolder, "type": "output"}
