"""A real ComfyUI server in its own process, and what a client of it sees."""

import io
import json
import os
import shlex
import socket
import struct
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, Self
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlencode
from urllib.request import Request, urlopen

import av
import numpy as np

PACK = Path(__file__).parents[2]
PACK_FOLDER = "emo-portrait"
FOLDERS = ("custom_nodes", "input", "output", "models/emo", "models/audio_encoders", "models/upscale_models")
START_SECONDS = 60
LOG_TAIL = 4000
TEXT = 3  # of the websocket's binary messages: a node's text; the others are previews

Prompt = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Event:
    """A message of the websocket and when it came, in seconds of a monotonic clock."""

    type: str
    data: dict[str, Any]
    at: float


@dataclass(frozen=True)
class Clip:
    """A decoded video: frames (F, H, W, 3) uint8, sound (channels, T) float32; no sound: None."""

    frames: np.ndarray
    fps: Fraction
    sound: np.ndarray | None
    sample_rate: int | None


@dataclass
class Run:
    """One prompt from its submission to the end: what the websocket said and what the history keeps."""

    prompt_id: str
    events: list[Event] = field(default_factory=list)
    previews: int = 0
    texts: list[str] = field(default_factory=list)  # what nodes show below their widgets
    history: dict[str, Any] = field(default_factory=dict)

    def of(self, kind: str) -> list[Event]:
        return [event for event in self.events if event.type == kind]

    @property
    def status(self) -> str:
        return self.history["status"]["status_str"]

    @property
    def outputs(self) -> dict[str, dict[str, Any]]:
        return self.history["outputs"]

    @property
    def error(self) -> str:
        """The message that the node's red frame shows, empty without one."""
        return "\n".join(event.data["exception_message"] for event in self.of("execution_error"))

    @property
    def failed_node(self) -> str:
        return self.of("execution_error")[0].data["node_type"]

    @property
    def video(self) -> dict[str, str]:
        """Where the only video of the run lies: filename, subfolder, type."""
        (found,) = [
            file
            for output in self.outputs.values()
            for file in output.get("images", [])
            if file["filename"].endswith(".mp4")
        ]
        return found


class Refused(Exception):
    """The server's validation refused a prompt; `body` is its answer."""

    def __init__(self, body: dict[str, Any]) -> None:
        self.body = body
        super().__init__(json.dumps(body))

    def reasons(self, node: str) -> str:
        return "\n".join(
            f"{error['message']}: {error['details']}" for error in self.body["node_errors"][node]["errors"]
        )


class Server:
    """Starts with `with`; `base` becomes its input, output, model and node folder, in which `pack` is linked.

    COMFYUI_ARGUMENTS are added to the command, such as `--front-end-root FOLDER` for another frontend.
    """

    def __init__(self, comfyui: Path, base: Path, pack: Path | None = PACK) -> None:
        self.comfyui, self.base, self.pack = comfyui, base, pack
        self.log_file = base / "server.log"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        for folder in (*FOLDERS, "user", "temp"):
            (self.base / folder).mkdir(parents=True, exist_ok=True)
        if self.pack is not None:
            (self.base / "custom_nodes" / PACK_FOLDER).symlink_to(self.pack, target_is_directory=True)
        arguments = ("--cpu", "--listen", "127.0.0.1", "--port", str(self.port), "--disable-auto-launch")
        places = ("--base-directory", str(self.base), "--database-url", "sqlite:///:memory:")
        more = shlex.split(os.environ.get("COMFYUI_ARGUMENTS", ""))
        with self.log_file.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "main.py", *arguments, *places, *more],
                cwd=self.comfyui,
                env=environment(),
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        try:
            self._wait_until_up()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        self.process.terminate()
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def _wait_until_up(self) -> None:
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end and self.process.poll() is None:
            try:
                self.get("/system_stats")
                return
            except URLError:
                time.sleep(0.2)
        status = self.process.poll()
        what = f"did not answer in {START_SECONDS} s" if status is None else f"ended with status {status}"
        raise RuntimeError(f"ComfyUI {what}:\n{self.log[-LOG_TAIL:]}")

    @property
    def log(self) -> str:
        return self.log_file.read_text(encoding="utf-8", errors="replace")

    def fetch(self, path: str, **query: Any) -> tuple[int, bytes]:
        """Status and body of a GET; an error status is no exception here."""
        try:
            with urlopen(f"{self.url}{quote(path)}?{urlencode(query)}", timeout=60) as answer:
                return answer.status, answer.read()
        except HTTPError as error:
            return error.code, error.read()

    def get(self, path: str, **query: Any) -> Any:
        status, body = self.fetch(path, **query)
        assert status == 200, f"{path} {query}: {status} {body[:500]!r}"
        return json.loads(body)

    def post(self, path: str, body: Any) -> Any:
        head = {"Content-Type": "application/json"}
        request = Request(self.url + path, json.dumps(body).encode(), head, method="POST")
        with urlopen(request, timeout=60) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def delete(self, path: str) -> Any:
        with urlopen(Request(self.url + path, method="DELETE"), timeout=60) as answer:
            return json.loads(answer.read())

    def object_info(self, node_id: str) -> dict[str, Any]:
        return self.get(f"/object_info/{node_id}")[node_id]

    def interrupt(self) -> None:
        self.post("/interrupt", {})

    def submit(self, prompt: Prompt, client: str) -> str:
        """Raises Refused when validation refuses all of the prompt or a part of it."""
        try:
            answer = self.post("/prompt", {"prompt": prompt, "client_id": client})
        except HTTPError as error:
            raise Refused(json.loads(error.read())) from error
        if answer["node_errors"]:
            raise Refused(answer)
        return answer["prompt_id"]

    def run(
        self, prompt: Prompt, on_event: Callable[[Event], None] | None = None, timeout: float = 120
    ) -> Run:
        """Submits and listens until the end; `on_event` sees each message as it comes."""
        import websocket

        client = uuid.uuid4().hex
        link = websocket.create_connection(
            f"ws://127.0.0.1:{self.port}/ws?clientId={client}", timeout=timeout, enable_multithread=False
        )
        try:
            run = Run(self.submit(prompt, client))
            self._listen(link, run, on_event, time.monotonic() + timeout)
        finally:
            link.close()
        run.history = self.get(f"/history/{run.prompt_id}")[run.prompt_id]
        return run

    def _listen(self, link: Any, run: Run, on_event: Callable[[Event], None] | None, end: float) -> None:
        # "execution_success" comes before the history is stored; only this message comes after.
        last = {"node": None, "prompt_id": run.prompt_id}
        while time.monotonic() < end:
            message = link.recv()
            if isinstance(message, bytes):
                self._binary(run, message)
                continue
            event = Event(**({"data": {}} | json.loads(message)), at=time.monotonic())
            run.events.append(event)
            if event.type == "executing" and event.data | last == event.data:
                return
            if on_event is not None:
                on_event(event)
        raise TimeoutError(f"the prompt did not end in time:\n{self.log[-LOG_TAIL:]}")

    def _binary(self, run: Run, message: bytes) -> None:
        kind, length = struct.unpack(">II", message[:8])
        if kind == TEXT:
            run.texts.append(message[8 + length :].decode())
        else:
            run.previews += 1

    def clip(self, file: dict[str, str]) -> Clip:
        """The video as a browser gets it, decoded."""
        status, body = self.fetch("/view", **file)
        assert status == 200, f"/view {file}: {status}"
        return decode(body)

    @property
    def resident_bytes(self) -> int:
        """Memory of the process that is not shared with others, in bytes."""
        import psutil

        return psutil.Process(self.process.pid).memory_full_info().uss


def decode(content: bytes) -> Clip:
    with av.open(io.BytesIO(content)) as container:
        picture = container.streams.video[0]
        frames = np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(picture)])
        fps = Fraction(picture.average_rate)
    with av.open(io.BytesIO(content)) as container:
        if not container.streams.audio:
            return Clip(frames, fps, None, None)
        stream = container.streams.audio[0]
        sound = np.concatenate([frame.to_ndarray() for frame in container.decode(stream)], axis=1)
        return Clip(frames, fps, sound, stream.rate)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def environment() -> dict[str, str]:
    """This process's, with COMFYUI_PYTHONPATH first among the places that the server imports from."""
    more = os.environ.get("COMFYUI_PYTHONPATH", "")
    paths = [path for path in (more, os.environ.get("PYTHONPATH", "")) if path]
    # One thread: several that wait for each other on a busy machine take ten times as long.
    return {"OMP_NUM_THREADS": "1"} | os.environ | {"PYTHONPATH": os.pathsep.join(paths)}
