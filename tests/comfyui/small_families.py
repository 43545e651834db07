"""A custom node for the tests' server: EMO's relatives become small before the first prompt runs."""

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from server import PromptServer

NODE_CLASS_MAPPINGS: dict[str, Any] = {}
TEXTS = json.loads((Path(__file__).parents[1] / "families.json").read_text(encoding="utf-8"))


def shrink(prompt: dict[str, Any]) -> dict[str, Any]:
    """Not when this file is imported: the pack may come after it."""
    (name,) = (name for name in sys.modules if name.endswith(".emo_modules.families.table"))
    families = sys.modules[name]
    for family, text in TEXTS.items():
        config = families.EMOConfig.from_json(text)
        families.RELEASES[family] = replace(families.RELEASES[family], config=config)
    return prompt


PromptServer.instance.add_on_prompt_handler(shrink)
