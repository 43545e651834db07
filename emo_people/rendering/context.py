"""OpenGL without a window."""

import os
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

from ..people.mesh import CannotDraw

if TYPE_CHECKING:
    import moderngl

SHADERS = Path(__file__).with_name("shaders")
PACKAGES = "on Debian: apt-get install libegl1 libgl1-mesa-dri"


def create_context() -> "moderngl.Context":
    """A context on the GPU, or on Mesa's software renderer. Speak before: a process that holds a context
    cannot start others.

    Raises CannotDraw without moderngl and where there is no OpenGL.
    """
    try:
        import moderngl
    except ModuleNotFoundError as error:
        raise CannotDraw("moderngl is missing, which draws the people: pip install moderngl") from error
    try:
        options = {"backend": "egl", "require": 330}
        return moderngl.create_standalone_context(**options)  # type: ignore[arg-type]  # the stub is wrong
    except Exception as error:  # moderngl raises bare Exceptions, with the driver's words
        raise CannotDraw(f"there is no OpenGL here to draw with ({error}); {PACKAGES}") from error


def drawing_processes(workers: int) -> ProcessPoolExecutor:
    """Processes that may each have a context: started afresh, since one that holds a context must not fork,
    and each drawing with one thread, so that none waits for another's."""
    return ProcessPoolExecutor(workers, get_context("spawn"), _draw_alone)


def _draw_alone() -> None:
    os.environ.setdefault("LP_NUM_THREADS", "0")  # Mesa's software renderer then draws in the calling thread


def load_program(context: "moderngl.Context", vertex: str, fragment: str, *parts: str) -> "moderngl.Program":
    """Two files of the folder of shaders; `parts` are files whose functions the fragment shader uses, the
    vertex shader those of the first."""

    def joined(*names: str) -> str:
        return "\n".join(["#version 330", *((SHADERS / name).read_text() for name in names)])

    return context.program(vertex_shader=joined(*parts[:1], vertex), fragment_shader=joined(*parts, fragment))
