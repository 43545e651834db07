"""Where a file of ComfyUI's output or temp folder goes: the prefix's words, names, numbers."""

import re
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import folder_paths
from comfy_api.latest import io, ui

from ...emo_modules.writing.place import check_place, name_problem

DEFAULT_NAME = "EMO"
FIRST_NUMBER = "_00001_"
WORD = re.compile(r"%([^%]+)%")
DATE_PARTS = re.compile(r"yyyy|yy|dd?|MM?|hh?|mm?|ss?")
CORES = {"year", "month", "day", "hour", "minute", "second", "width", "height"}


def check_prefix(prefix: str, save_output: bool, ending: str) -> None:
    """What can be said of a name before the frames' size and other nodes' values are there.

    `ending` is what follows the number: a suffix, or / and the names of files in a folder.

    Raises ValueError or WriteError for a name that leaves the folder, that Windows or this disk cannot hold,
    or for a folder that cannot be written.
    """
    _place(_replace_words(prefix, lambda word: "x"), save_output, ending)


def output_file(
    prefix: str, save_output: bool, ending: str, width: int, height: int, hidden: Any, log: Any
) -> Path:
    """The first free path NAME_0000N_ENDING. Raises as `check_prefix`."""

    def value(word: str) -> str:
        found = _widget(word, hidden)
        if found is None:
            log.warning("%%%s%% in filename_prefix names no widget of the workflow: it stays as it is", word)
        return f"%{word}%" if found is None else found

    name = _place(_replace_words(prefix, value), save_output, ending)
    folder, name, counter, _, _ = folder_paths.get_save_image_path(
        name, str(_base(save_output)), width, height
    )
    return Path(folder) / f"{name}_{counter:05}_{ending}"


def saved_result(path: Path, save_output: bool) -> ui.SavedResult:
    """A file of the output or temp folder as ComfyUI's page asks for it."""
    kind = io.FolderType.output if save_output else io.FolderType.temp
    folder = path.parent.relative_to(_base(save_output))
    return ui.SavedResult(path.name, "/".join(folder.parts), kind)


def _base(save_output: bool) -> Path:
    output = folder_paths.get_output_directory() if save_output else folder_paths.get_temp_directory()
    return Path(output)


def _place(prefix: str, save_output: bool, ending: str) -> str:
    """The prefix as folders and a name with / between them, checked."""
    written = prefix.replace("\\", "/").strip()
    parts = [part for part in written.split("/") if part not in ("", ".")] or [DEFAULT_NAME]
    if written.startswith("/") or ".." in parts:
        raise ValueError(f"filename_prefix {prefix!r} leaves the output folder: give a name below it")
    whole = "/".join(parts) + FIRST_NUMBER + ending
    for part in whole.split("/"):
        if problem := name_problem(part):
            raise ValueError(f"filename_prefix {prefix!r}: {part!r} {problem}; choose another name")
    check_place(_base(save_output) / whole)
    return "/".join(parts)


def _replace_words(prefix: str, value: Callable[[str], str]) -> str:
    """Fills in %date:FORMAT% and %NODE.WIDGET%, as the page does for core's own savers alone."""
    now = datetime.now()

    def replaced(match: re.Match[str]) -> str:
        word = match[1]
        if word.startswith("date:"):
            return _date(word.removeprefix("date:"), now)
        return match[0] if word in CORES or "." not in word else value(word)

    return WORD.sub(replaced, prefix)


def _date(pattern: str, now: datetime) -> str:
    values = {"d": now.day, "M": now.month, "h": now.hour, "m": now.minute, "s": now.second}

    def replaced(match: re.Match[str]) -> str:
        part = match[0]
        return f"{now.year:04}"[-len(part) :] if part[0] == "y" else f"{values[part[0]]:0{len(part)}}"

    return DATE_PARTS.sub(replaced, pattern)


def _widget(word: str, hidden: Any) -> str | None:
    """The value of NODE.WIDGET in the prompt, None when there is none or it comes over a wire."""
    name, _, widget = word.rpartition(".")
    nodes = hidden.prompt or {}
    for names in (_search_names(nodes, hidden.extra_pnginfo), _titles(nodes)):
        for node_id in (node_id for node_id, found in names.items() if found == name):
            value = nodes[node_id]["inputs"].get(widget)
            if value is not None and not isinstance(value, list):
                return re.sub(r'[/\\<>:"|?*\x00-\x1f\x7f]', "_", str(value))
    return None


def _titles(nodes: dict[str, Any]) -> dict[str, str]:
    return {node_id: node.get("_meta", {}).get("title", "") for node_id, node in nodes.items()}


def _search_names(nodes: dict[str, Any], extra: dict[str, Any] | None) -> dict[str, str]:
    """The "Node name for S&R" that the page lets users edit; the node's type when nobody did."""
    names = {node_id: node["class_type"] for node_id, node in nodes.items()}
    workflow = (extra or {}).get("workflow") or {}
    for node in workflow.get("nodes", []):
        if str(node["id"]) in names and (given := node.get("properties", {}).get("Node name for S&R")):
            names[str(node["id"])] = given
    return names
