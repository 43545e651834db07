"""The process that measures rows, so that one that takes too long can be ended."""

import platform
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from benchmarks.timing.bare import stand_ins
from benchmarks.timing.row import Row


def serve(connection: Connection, rows: list[Row], device: str, tiny: bool) -> None:
    """Sends what machine this is, then the figures of each row, or its error."""
    with stand_ins() as absent:  # before anything of the project is imported
        from benchmarks.timing import passes, renders
        from benchmarks.timing.bench import Bench
    measures: dict[str, Callable[[Bench, Row], dict[str, Any]]] = {
        "step": passes.step,
        "halves": passes.halves,
        "separate": passes.separate,
        "channels-last": passes.channels_last,
        "compiled": passes.compiled,
        "synchronisations": passes.synchronisations,
        "clip": renders.clip,
        "beside": renders.beside,
        "decoding": renders.decoding,
        "film": renders.film,
    }
    bench = Bench(device, tiny)
    connection.send(_machine(bench.device) | {"absent": absent})
    for row in rows:
        try:
            found = measures[row.measure](bench, row)
        except (RuntimeError, ValueError, MemoryError, ImportError) as error:
            found = {"error": f"{type(error).__name__}: {error}".splitlines()[0]}
            bench.drop()
        connection.send(found)


def _machine(device: Any) -> dict[str, Any]:
    import torch

    cuda = device.type == "cuda"
    return {
        "card": torch.cuda.get_device_name(device) if cuda else platform.processor() or platform.machine(),
        "torch": torch.__version__,
    }
