"""Errors that are the fault of a file or machine, and not of this program."""

import sys

NO_MEMORY = "not enough memory: close other programs, or work on less at once"
# What libraries raise for a file or machine that is at fault, where no code of ours has said it better. Those
# that are not imported have raised nothing. A RuntimeError is not here: it may be a fault of this program.
LIBRARY_ERRORS = (
    ("av", "FFmpegError"),
    ("PIL.Image", "DecompressionBombError"),
    ("pickle", "UnpicklingError"),
    ("safetensors", "SafetensorError"),
    ("soundfile", "SoundFileError"),
    ("tarfile", "TarError"),
    ("torch", "OutOfMemoryError"),
    ("yaml", "YAMLError"),
    ("zipfile", "BadZipFile"),
)


def input_errors() -> tuple[type[Exception], ...]:
    """What is raised where the input or the machine is at fault."""
    loaded = (getattr(sys.modules[module], name) for module, name in LIBRARY_ERRORS if module in sys.modules)
    return ValueError, OSError, MemoryError, *loaded
