"""Makes the calls that `fuzzing` draws as ComfyUI does, and judges what comes out."""

import ast
import asyncio
import logging
import math
import os
import re
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from .fuzz_objects import Stranger
from .fuzzing import Case, World, schema_of
from .harness import PACK
from .in_process import Pack

SOURCE = "EMOFuzzSource"  # the node at the other end of every wire


@dataclass(frozen=True)
class Outcome:
    """`kind` is ok, validation (ComfyUI or the pack refused the prompt), refused (the node did) or wrong."""

    kind: str
    text: str
    seconds: float


def call(world: World, case: Case, touched: "Touched") -> Outcome:
    """As ComfyUI's executor: validate what stands in the prompt, then execute."""
    schema, start = schema_of(world.pack, case.node_id), time.process_time()
    try:
        with words_of(world.pack) as said, touched:
            refusal, inputs = _validated(world.pack, case)
            if refusal:
                kind, text = "wrong" if jargon(refusal) else "validation", refusal
            else:
                given = {name: [value] for name, value in inputs.items()}
                lists = world.pack.run_lists(case.node_id, **given)
                text = faults(schema, lists, inputs, "\n".join(said))
                kind = "wrong" if text else "ok"
    except Exception as error:  # whatever it is, it is judged
        kind, text = judged(error, schema)
    if touched.elsewhere:
        kind, text = "wrong", f"touches {', '.join(touched.elsewhere)}"
    return Outcome(kind, text, time.process_time() - start)


def _validated(pack: Pack, case: Case) -> tuple[str, dict[str, Any]]:
    """Why the prompt is refused, and the inputs that execute gets: constants as ComfyUI converts them."""
    import execution

    wires = [name for name, given in case.inputs.items() if given.wired]
    inputs = {name: [SOURCE, 0] if given.wired else given.value for name, given in case.inputs.items()}
    prompt = {
        "node": {"class_type": case.node_id, "inputs": inputs},
        SOURCE: {"class_type": SOURCE, "inputs": {}},
    }
    valid, errors, _ = asyncio.run(execution.validate_inputs("fuzz", prompt, "node", {}))
    assert valid != bool(errors)
    refusal = "; ".join(error["message"] + ": " + _details(error) for error in errors)
    return refusal, prompt["node"]["inputs"] | {name: case.inputs[name].value for name in wires}


def _details(error: dict[str, Any]) -> str:
    """Of a value that it cannot convert, core tells what Python said: not the pack's affair."""
    return error["extra_info"]["input_name"] if error["type"] == "invalid_input_type" else error["details"]


class AnyType(str):
    """Fits every input, as the outputs of many packs do."""

    def __ne__(self, other: object) -> bool:
        return False

    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = str.__hash__


class Source:
    """A node of another pack that hands over anything."""

    RETURN_TYPES = (AnyType("*"),)
    FUNCTION = "go"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802
        return {"required": {}}


@contextmanager
def words_of(pack: Pack) -> Iterator[list[str]]:
    """What the pack said while the block ran, in the log and so on the node."""
    lines: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())
    logger = logging.getLogger(pack.module("emo_modules").__name__)
    logger.addHandler(handler)
    try:
        yield lines
    finally:
        logger.removeHandler(handler)


class Touched:
    """Paths outside of some folders that Python writes, makes, renames or removes inside the `with` block."""

    events = ("os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.link", "os.symlink", "os.truncate")

    def __init__(self, folders: list[Path]) -> None:
        self.folders, self.elsewhere, self.watching = [str(folder) for folder in folders], [], False
        sys.addaudithook(self._hear)

    def __enter__(self) -> None:
        self.elsewhere, self.watching = [], True

    def __exit__(self, *exception: object) -> None:
        self.watching = False

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.watching or event not in (*self.events, "open"):
            return
        writes = event != "open" or arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        if writes and isinstance(arguments[0], str | bytes | os.PathLike):
            path = os.path.realpath(os.fsdecode(arguments[0]))
            if not path.startswith((*self.folders, "/dev/null")) and "__pycache__" not in path:
                self.elsewhere.append(path)


# The pack's own sentences

OWN_CODE = (str(PACK / "nodes"), str(PACK / "emo_modules"))
OWN_TYPES = (ValueError, FileNotFoundError)
OTHER_PACKS = re.compile(rf"an object of the class {Stranger.__name__}\b")  # it has no other name
PYTHON_WORDS = re.compile(
    r"NoneType|ndarray|\b(dict|str|int|float|bool|tuple|complex|builtin_function_or_method)\b"
    r"|(?<!\d )\bbytes\b"  # a file of 200 bytes is plain English
    r"|Stranger|class type|<class|<function| object at 0x|has no attribute|positional argument|subscriptable"
    r"|not iterable|slice indices|\btensor\(|torch\.([a-z]+\d|Size|bool|Tensor)|__\w+__|Traceback"
)
SAYS_WHAT = re.compile(
    r"\b(got|needed|needs|expected|at least|at most|found|from \S+ to|cannot be)\b", re.IGNORECASE
)


def jargon(message: str) -> str:
    """The first word in it that only a programmer of Python knows, or nothing."""
    found = PYTHON_WORDS.search(OTHER_PACKS.sub("", message))
    return found[0] if found else ""


def judged(error: Exception, schema: Any) -> tuple[str, str]:
    """refused when the pack itself refused it in words for its user, else wrong and why."""
    message, frame = str(error), traceback.extract_tb(error.__traceback__)[-1]
    place = f"{type(error).__name__} at {Path(frame.filename).name}:{frame.lineno}: {message[:300]}"
    if type(error) not in OWN_TYPES and ".emo_modules." not in type(error).__module__:
        return "wrong", f"no sentence of the pack: {place}"
    if not frame.filename.startswith(OWN_CODE) or not _raises(frame.filename, frame.lineno):
        return "wrong", f"not raised by the pack: {place}"
    if word := jargon(message):
        return "wrong", f"{word!r} is for programmers: {place}"
    words = {word for given in schema.inputs for word in given.id.split("_") if len(word) > 2}
    if not any(word in message.lower() for word in words) and not SAYS_WHAT.search(message):
        return "wrong", f"neither the input nor what was expected: {place}"
    return "refused", message


@cache
def _raise_lines(filename: str) -> set[int]:
    tree = ast.parse(Path(filename).read_text(encoding="utf-8"))
    raises = (node for node in ast.walk(tree) if isinstance(node, ast.Raise) and node.exc)
    return {line for node in raises for line in range(node.lineno, node.end_lineno + 1)}


def _raises(filename: str, line: int) -> bool:
    """Whether a raise statement stands there, rather than a call that failed."""
    return line in _raise_lines(filename)


# Successes


def _picture(value: Any) -> bool:
    return value.ndim == 4 and value.shape[-1] == 3 and value.min() >= 0 and value.max() <= 1


def _video(value: Any) -> bool:
    return min(value.get_dimensions()) > 0 and value.get_duration() > 0


FORMS: dict[str, Callable[[Any], bool]] = {
    "IMAGE": lambda value: len(value) > 0 and _picture(value),
    "MASK": lambda value: value.ndim == 3 and value.min() >= 0 and value.max() <= 1,
    "AUDIO": lambda value: value["waveform"].ndim == 3 and int(value["sample_rate"]) > 0,
    "LATENT": lambda value: value["samples"].ndim == 4 and len(value["samples"]) > 0,
    "FLOAT": lambda value: len(value) > 0 if isinstance(value, list) else isinstance(value, float),
    "VIDEO": _video,
}


def faults(schema: Any, lists: list[list[Any]], inputs: dict[str, Any], said: str) -> str:
    """What is wrong with a success, or nothing: outputs not finite, of a wrong form, NaN taken in silence."""
    for output, values in zip(schema.outputs, lists, strict=True):
        kind = str(output.get_io_type())
        if not values:
            return f"{kind} is an empty list"
        if not finite(values):
            return f"{kind} is not finite"
        if not all(map(FORMS.get(kind, lambda _: True), values)):
            return f"{kind} has a wrong form"
    taken = [name for name, value in inputs.items() if not finite(value)]
    silent = [name for name in taken if not re.search(rf"{name}.*ignored", said)]
    return f"{', '.join(silent)} not finite, and nothing was said" if silent else ""


def finite(value: Any) -> bool:
    """Of whatever numbers are inside."""
    if isinstance(value, Tensor):
        return bool(value.isfinite().all())
    if isinstance(value, np.ndarray | np.number):
        return not np.issubdtype(value.dtype, np.number) or bool(np.isfinite(value).all())
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, dict):
        return all(finite(entry) for entry in value.values())
    if isinstance(value, list | tuple):
        return all(finite(entry) for entry in value)
    return True
