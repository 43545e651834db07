"""What the library and the nodes have to say, shown on the node as well as in the log."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from server import PromptServer

from ... import emo_modules


class _ToNode(logging.Handler):
    def __init__(self, node_id: str):
        super().__init__(logging.INFO)
        self.node_id = node_id
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        sign = "⚠ " if record.levelno >= logging.WARNING else ""
        self.lines.append(sign + record.getMessage())
        PromptServer.instance.send_progress_text("\n".join(self.lines), self.node_id)


@contextmanager
def show_on(node_id: str | None) -> Iterator[logging.Logger]:
    """While the block runs, messages of the library and of the yielded logger appear on node `node_id`,
    warnings with a sign in front.

    ComfyUI runs one prompt at a time, so that they belong to this node.
    """
    logger = logging.getLogger(emo_modules.__name__)
    if node_id is None or getattr(PromptServer, "instance", None) is None:
        yield logger
        return
    if any(isinstance(handler, _ToNode) and handler.node_id == node_id for handler in logger.handlers):
        yield logger  # a second handler would show its own lines in place of the first one's
        return
    handler = _ToNode(node_id)
    logger.addHandler(handler)
    try:
        yield logger
    finally:
        logger.removeHandler(handler)
