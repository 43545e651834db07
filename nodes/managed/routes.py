"""What the page asks for: the examples, a first proposal of the face, what a run takes, an end of sampling,
finished clips."""

import asyncio
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import av
import folder_paths
from aiohttp import web
from PIL import Image
from server import PromptServer
from torch import Tensor

import nodes

from ...emo_modules.cues.box import Box
from ...emo_modules.cues.detect import search_faces
from ...emo_modules.faults import input_errors
from ...emo_modules.media.image import load_image, to_rgb
from .cost import foretell
from .files import EXAMPLES
from .kept import clip_store
from .stopping import press

MOST_PIXELS = 50_000_000  # a phone's largest picture; each takes 12 bytes while a face is looked for
KINDS = ("input", "output", "temp")  # of the folders that core's Load Image reads from
EXAMPLE_FILES = ("portrait.png", "speech.wav", "two-people.png", "question.wav", "answer.wav")


def register_routes() -> None:
    """Without a server (ComfyUI imported as a library) there is no page and nothing to register."""
    server = getattr(PromptServer, "instance", None)
    if server is None:
        return
    server.routes.get("/emo_portrait/example/{name}")(example)
    server.routes.get("/emo_portrait/face")(face)
    server.routes.get("/emo_portrait/cost")(cost)
    server.routes.post("/emo_portrait/stop/{node}")(stop)
    server.routes.get("/emo_portrait/clips")(clips)
    server.routes.delete("/emo_portrait/clips")(clips)


async def example(request: web.Request) -> web.StreamResponse:
    name = request.match_info["name"]
    return web.FileResponse(EXAMPLES / name) if name in EXAMPLE_FILES else web.Response(status=404)


async def face(request: web.Request) -> web.Response:
    """Of a picture that ComfyUI itself would show: its size, the faces as [x, y, w, h], largest first, and
    the one that is asked for or null."""
    path = _file(request.query)
    if path is None:
        return web.json_response({"error": "no such picture"}, status=404)
    try:
        index = int(request.query.get("face_index", 0))
        found = await asyncio.to_thread(_find, path, index)
    except ValueError as error:
        return web.json_response({"error": str(error)}, status=400)
    return web.json_response(found)


async def cost(request: web.Request) -> web.Response:
    """What a run of the sampler takes, with the sound of a file and the values of widgets: see `foretell`."""
    path = _file(request.query)
    if path is None or "checkpoint" not in request.query:
        return web.json_response({"error": "no such sound or model"}, status=404)
    try:
        return web.json_response(await asyncio.to_thread(foretell, request.query, path))
    except input_errors():  # their texts name paths
        return web.json_response({"error": "cannot be run"}, status=400)


async def stop(request: web.Request) -> web.Response:
    """Ends a sampler after the clip it is at; its node goes on with what is there."""
    press(request.match_info["node"])
    return web.json_response({})


async def clips(request: web.Request) -> web.Response:
    """How many finished clips are kept, and their bytes; after DELETE those that were."""
    store = clip_store()
    count, size = await asyncio.to_thread(store.empty if request.method == "DELETE" else store.size)
    return web.json_response({"count": count, "bytes": size})


def _file(query: Mapping[str, str]) -> Path | None:
    """None for a path outside the folder it names, for what is no file, and for no name a file can have."""
    if "example" in query:
        return EXAMPLES / query["example"] if query["example"] in EXAMPLE_FILES else None
    base = folder_paths.get_directory_by_type(query.get("type", "input"))
    if base is None or "filename" not in query:
        return None
    try:
        path = (Path(base) / query.get("subfolder", "") / query["filename"]).resolve()
        return path if path.is_relative_to(Path(base).resolve()) and path.is_file() else None
    # NUL is a ValueError, a name too long an OSError, a circle of links either or a RuntimeError.
    except (OSError, ValueError, RuntimeError):
        return None


def _find(path: Path, index: int) -> dict[str, object]:
    """Raises ValueError, without the path, for a file that is no picture or too large a one."""
    state = path.stat()
    width, height, found = _faces(path, state.st_mtime_ns, state.st_size)
    boxes = [[round(value) for value in (box.x0, box.y0, box.width, box.height)] for box in found]
    return {
        "width": width,
        "height": height,
        "box": dict(enumerate(boxes)).get(index),
        "boxes": boxes,
    }


@lru_cache(maxsize=32)
def _faces(path: Path, changed: int, size: int) -> tuple[int, int, list[Box]]:
    """Width and height of the picture and its faces; a file that has changed is read anew."""
    try:
        with Image.open(path) as file:
            width, height = file.size
        if width * height > MOST_PIXELS:
            raise ValueError(f"{path.name} has {width}x{height} pixels, more than are looked at before a run")
        picture = _decoded(path)
    # The decoders of Pillow and FFmpeg answer damaged data with any of these.
    except (OSError, SyntaxError, EOFError, av.FFmpegError, Image.DecompressionBombError) as error:
        raise ValueError(f"{path.name} cannot be read as a picture") from error
    height, width = picture.shape[:2]
    return width, height, search_faces(to_rgb(picture.float()))


def _decoded(path: Path) -> Tensor:
    """(H, W, C) in 0..1 by core's Load Image itself: decoders differ, and so would the box shown and used."""
    for kind in KINDS:
        base = Path(folder_paths.get_directory_by_type(kind)).resolve()
        if path.is_relative_to(base):
            return nodes.LoadImage().load_image(f"{path.relative_to(base)} [{kind}]")[0][0]
    return load_image(path)
