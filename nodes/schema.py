"""What several nodes' schemas share, and the decorator that holds the nodes' inputs to them."""

import functools
import inspect
import logging
from collections.abc import Callable
from types import MethodType
from typing import Any

from comfy_api.latest import io

from .managed.notices import show_on
from .managed.objects import take
from .managed.values import (
    choice,
    describe,
    join_names,
    real_number,
    real_numbers,
    switch,
    text,
    whole_number,
)

CATEGORY = "EMO"

ReferenceNetType = io.Custom("EMO_REFERENCE_NET")
ReferenceType = io.Custom("EMO_REFERENCE")
CropType = io.Custom("EMO_CROP")
FaceEmbeddingType = io.Custom("FACE_EMBEDDING")
# what packs with faces hand out: the loaders of InstantID and PuLID, IPAdapter, InstantID face swap and
# FaceAnalysis, the faces of ReActor, the embeddings of face swap
FaceSourceTypes = [
    io.Custom(name)
    for name in (
        "FACEANALYSIS",
        "INSIGHTFACE",
        "INSIGHTFACE_APP",
        "ANALYSIS_MODELS",
        "FACE_MODEL",
        "FACE_EMBED",
    )
]
LandmarksType = io.Custom("FACE_LANDMARKS")  # core's, in newer versions


class PerFrame:
    """FLOAT: one number on the node, over a wire also a list with one for each frame."""

    class Input(io.Float.Input):
        pass


def supported_keywords(constructor: Callable[..., Any], **keywords: Any) -> dict[str, Any]:
    """Those keywords that this ComfyUI takes: `advanced` and `search_aliases` came after 0.3.64."""
    accepted = inspect.signature(constructor).parameters
    return {name: value for name, value in keywords.items() if name in accepted}


def follows_schema(node: type[io.ComfyNode]) -> type[io.ComfyNode]:
    """Class decorator: a node gets what its schema says, or a sentence says which input is wrong.

    Before a run ComfyUI compares written values with their limits, nothing else, and what comes over wires
    never. So `execute` checks every value as it comes, and `validate_inputs` says what the prompt alone
    shows: a value where a wire belongs, and a choice that is not in its list. A node's own `validate_inputs`
    is called besides, with the values of its parameters that are written.
    """
    node.execute = classmethod(_checked(node.__dict__["execute"].__func__))
    node.validate_inputs = _Validation(node.__dict__.get("validate_inputs"))
    return node


def accept(declared: io.Input, value: Any, log: logging.Logger) -> Any:
    """A value as the node means it. Raises ValueError that names the input, what it takes and what came."""
    name = declared.id
    match declared:
        case io.Int.Input():
            return whole_number(name, value, declared.min, declared.max)
        case PerFrame.Input():
            return real_numbers(name, value, declared.min, declared.max)
        case io.Float.Input():
            return real_number(name, value, declared.min, declared.max)
        case io.Boolean.Input():
            return switch(name, value)
        case io.Combo.Input():
            return choice(name, value, declared.options)
        case io.String.Input():
            return text(name, value)
        case _:
            return take(str(declared.get_io_type()), name, value, log)


def _accept_each(declared: io.Input, values: Any, log: logging.Logger) -> list[Any]:
    """What ComfyUI hands to a node that wants lists: a list for every input. A script may hand over the value
    alone; a list without values is nothing that came."""
    values = values if isinstance(values, list | tuple) else [values]
    return [accept(declared, value, log) for value in values or [None]]


def _nothing(value: Any, listed: bool) -> bool:
    values = value if listed and isinstance(value, list | tuple) else [value]
    return all(each is None for each in values)


def _checked(execute: Callable[..., io.NodeOutput]) -> Callable[..., io.NodeOutput]:
    @functools.wraps(execute)
    def checked(cls: type[io.ComfyNode], **given: Any) -> io.NodeOutput:
        if cls.hidden is None:  # a script calls the node, without ComfyUI's executor
            cls = cls.PREPARE_CLASS_CLONE({})
        with show_on(cls.hidden.unique_id) as log:
            schema = cls.define_schema()
            _refuse_others(schema, given)
            read = _accept_each if schema.is_input_list else accept
            for declared in schema.inputs:
                if declared.optional and _nothing(given.get(declared.id), schema.is_input_list):
                    given.pop(declared.id, None)
                elif declared.id in given:
                    given[declared.id] = read(declared, given[declared.id], log)
            return execute(cls, **given)

    return checked


def _refuse_others(schema: io.Schema, given: dict[str, Any]) -> None:
    """ComfyUI hands over every wire of a prompt, that of a misspelt optional input too."""
    names = [declared.id for declared in schema.inputs]
    others = [name for name in given if name not in names]
    if others:
        raise ValueError(
            f"{schema.node_id} has no input {join_names(others)}, its inputs are "
            f"{join_names(names) or 'none'}: connect one of them"
        )


class _Validation:
    """`validate_inputs`, made anew for each prompt: the lists of files change.

    ComfyUI reads its parameters' names. It passes those inputs that the prompt has, and leaves undone for
    them what it checks itself: so numbers are not among them. It does not pass what the prompt lacks: so none
    is required, or a forgotten wire would raise a TypeError in place of core's own message.
    """

    def __init__(self, own: "classmethod[Any, Any, bool | str] | None"):
        self.own: Callable[..., bool | str] | None = own.__func__ if own else None
        self.names = [*inspect.signature(self.own).parameters][1:] if self.own else []

    def __get__(self, instance: object, node: type[io.ComfyNode]) -> MethodType:
        schema = node.define_schema()
        declared = {each.id: each for each in schema.inputs if _unchecked_by_core(each)}

        def validate_inputs(cls: type[io.ComfyNode], **given: Any) -> bool | str:
            if schema.is_input_list:
                given = {name: values[0] for name, values in given.items()}
            written = {name: value for name, value in given.items() if value is not None}  # None: a wire
            problems = [_problem(declared[name], written[name]) for name in declared if name in written]
            if self.own:
                own = self.own(cls, **{name: written[name] for name in self.names if name in written})
                problems.append("" if own is True else str(own))
            return "; ".join(filter(None, problems)) or True

        names = dict.fromkeys(["cls", *declared, *self.names])
        parameters = [inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD) for name in names]
        # typeshed knows no attributes of functions
        validate_inputs.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        return MethodType(validate_inputs, node)


def _unchecked_by_core(declared: io.Input) -> bool:
    """Sockets; and choices, which ComfyUI 0.3.64 does not look up."""
    return isinstance(declared, io.Combo.Input) or not isinstance(declared, io.WidgetInput)


def _problem(declared: io.Input, value: Any) -> str:
    if not isinstance(declared, io.Combo.Input):
        return f"{declared.id} has to be connected, got {describe(value)}"
    try:
        choice(declared.id, value, declared.options)
    except ValueError as error:
        return str(error)
    return ""
