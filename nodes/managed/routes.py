"""What the page asks for: the examples, and a first proposal of the face."""

import asyncio
from pathlib import Path

import folder_paths
from aiohttp import web
from PIL import Image
from server import PromptServer

from ...emo_modules.media.face import detect_faces
from ...emo_modules.media.image import load_image
from .files import EXAMPLES

EXAMPLE_FILES = ("portrait.png", "speech.wav")


def register_routes() -> None:
    """Without a server (ComfyUI imported as a library) there is no page and nothing to register."""
    server = getattr(PromptServer, "instance", None)
    if server is None:
        return
    server.routes.get("/emo_portrait/example/{name}")(example)
    server.routes.get("/emo_portrait/face")(face)


async def example(request: web.Request) -> web.StreamResponse:
    name = request.match_info["name"]
    return web.FileResponse(EXAMPLES / name) if name in EXAMPLE_FILES else web.Response(status=404)


async def face(request: web.Request) -> web.Response:
    """A face, 0 the largest, of a picture that ComfyUI itself would show: its size, [x, y, w, h] or null."""
    path = _picture(request.query)
    if path is None or not path.is_file():
        return web.json_response({"error": "no such picture"}, status=404)
    try:
        found = await asyncio.to_thread(_find, path, int(request.query.get("face_index", 0)))
    except ValueError as error:
        return web.json_response({"error": str(error)}, status=400)
    return web.json_response(found)


def _picture(query: dict[str, str]) -> Path | None:
    """None for a path outside the folder it names."""
    if "example" in query:
        return EXAMPLES / query["example"] if query["example"] in EXAMPLE_FILES else None
    base = folder_paths.get_directory_by_type(query.get("type", "input"))
    if base is None or "filename" not in query:
        return None
    path = (Path(base) / query.get("subfolder", "") / query["filename"]).resolve()
    return path if path.is_relative_to(Path(base).resolve()) else None


def _find(path: Path, index: int) -> dict[str, object]:
    picture = load_image(path)
    with Image.open(path) as file:
        shrunk = max(picture.shape[:2]) / max(file.size)  # load_image makes very large ones smaller
    box = dict(enumerate(detect_faces(picture))).get(index)
    return {
        "width": round(picture.shape[1] / shrunk),
        "height": round(picture.shape[0] / shrunk),
        "box": box and [round(value / shrunk) for value in (box.x0, box.y0, box.width, box.height)],
    }
