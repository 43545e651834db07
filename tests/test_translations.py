"""What no schema holds: messages of the nodes, in Chinese too, and help pages for a narrow panel."""

import ast
import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "web/docs"
CHINESE = json.loads((ROOT / "locales/zh/main.json").read_text(encoding="utf-8"))["emoPortrait"]["messages"]
# what runs below a node; the words of the panels are tested in tests/web/words.test.mjs
ROOMS = ("checkpoints", "cues", "families", "media", "sampling", "speech", "weights")
SOURCES = ("nodes", *(f"emo_modules/{room}" for room in ROOMS))
LOGGED = re.compile(r"(_?log|logger)\.(info|warning)")
PLACE = re.compile(r"%(?:\.\d+)?[sdfg]")  # as web/js/words.mjs reads them


def messages() -> set[str]:
    """The formats of all calls of a logger's info and warning, written there or as a constant."""
    found = set()
    for path in (file for folder in SOURCES for file in (ROOT / folder).rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        constants = {
            ast.unparse(node.targets[0]): node.value for node in tree.body if isinstance(node, ast.Assign)
        }
        for call in ast.walk(tree):
            if isinstance(call, ast.Call) and LOGGED.fullmatch(ast.unparse(call.func)):
                text = constants.get(ast.unparse(call.args[0]), call.args[0])
                found |= {part.value for part in ast.walk(text) if isinstance(part, ast.Constant)}
    return found


def test_every_message_of_a_node_is_translated() -> None:
    found = {message for message in messages() if re.sub(PLACE, "", message).strip(": ")}
    assert len(found) > 10
    assert found - set(CHINESE) == set(), "add them to locales/zh/main.json"


@pytest.mark.parametrize("message", CHINESE)
def test_a_translated_message_says_the_same_values(message: str) -> None:
    """{1} is the first value of the English message."""
    places = {int(number) for number in re.findall(r"\{(\d+)\}", CHINESE[message])}
    assert places == set(range(1, len(PLACE.findall(message)) + 1))
    assert re.search(r"[\u4e00-\u9fff]", CHINESE[message])


@pytest.mark.parametrize("page", sorted(str(path.relative_to(DOCS)) for path in DOCS.rglob("*.md")))
def test_a_help_page_holds_no_table(page: str) -> None:
    """The panel is 300 pixels wide and cuts off what stands in a second column."""
    lines = (DOCS / page).read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if line.startswith("|")] == []
