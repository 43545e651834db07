"""Broken prompts over HTTP: each runs or is refused in words that are not Python's, and the next one runs.

EMO_FUZZ_PROMPTS and EMO_FUZZ_SEED send more, or others; `pytest -s` shows what came of them.
"""

import os
import sys
from collections import Counter
from typing import Any

import pytest

from .fuzz_judge import jargon
from .fuzz_prompts import broken_prompt, every_node
from .harness import PACK, PACK_FOLDER, Prompt, Refused, Server
from .test_in_process import NAMES

SEED = int(os.environ.get("EMO_FUZZ_SEED", "0"))
PROMPTS = int(os.environ.get("EMO_FUZZ_PROMPTS", "40"))
EVERY = 20  # prompts, after which a whole one has to run
OWN_TYPES = ("ValueError", "FileNotFoundError")


def test_broken_prompts_are_answered_in_words_for_people(server: Server) -> None:
    counted, wrong = Counter(), []
    for number in range(PROMPTS):
        prompt, broken = broken_prompt(SEED, number)
        kind, text = answer(server, prompt)
        counted[kind] += 1
        if kind.startswith("wrong"):
            wrong.append(f"seed {SEED}, prompt {number}: {'; '.join(broken)}\n    {text}")
        assert server.process.poll() is None, f"the server died of prompt {number}: {broken}"
        if number % EVERY == EVERY - 1:
            run = server.run(every_node(100 + number))
            assert (run.status, run.error) == ("success", "")
    print(f"\nseed {SEED}, {PROMPTS} prompts: {dict(counted)}", file=sys.stderr)
    if wrong:
        pytest.fail("\n".join(wrong), pytrace=False)


def answer(server: Server, prompt: Prompt) -> tuple[str, str]:
    """What came of it, and the words for that."""
    try:
        run = server.run(prompt, timeout=60)
    except Refused as refused:
        return refusal(refused.body)
    if run.status == "success":
        return "ok", ""
    if not run.of("execution_error"):
        return "wrong end", run.status
    return failure(run.of("execution_error")[0].data)


def refusal(body: dict[str, Any]) -> tuple[str, str]:
    """Of validation. What core does not catch itself, a link to a node that is not there, is its own."""
    errors = [error for found in body["node_errors"].values() for error in found["errors"]]
    if not errors:
        errors = [body["error"]]
    for error in errors:
        text = f"{error['message']}: {error['details']}"
        trace = "".join(error.get("extra_info", {}).get("traceback", []))
        if "xception" in error["message"]:
            # a graph that runs in a circle: releases before 0.29 do not look for them
            endless = "maximum recursion depth" in text
            if not endless and PACK_FOLDER in trace or "validate_inputs()" in text:
                return "wrong validation", text
            return "refused by core's own exception", text
        if error.get("type") != "invalid_input_type" and (word := jargon(text)):
            return "wrong words", f"{word}: {text}"
    return "refused by validation", ""


def failure(error: dict[str, Any]) -> tuple[str, str]:
    """Of a node. Core's nodes have their own words."""
    text = f"{error['node_type']}: {error['exception_type']}: {error['exception_message'][:300]}"
    if error["node_type"] not in NAMES:
        return "error of a core node", text
    raised = error["traceback"][-1]
    kind = error["exception_type"]
    own = kind in OWN_TYPES or ".emo_modules." in kind
    if not own or not (PACK_FOLDER in raised or str(PACK) in raised):
        return "wrong exception", f"{text} {raised}"
    if word := jargon(error["exception_message"]):
        return "wrong words", f"{word}: {text}"
    return "refused by the node", text
