"""EMO: talking portraits, as ComfyUI nodes."""

import sys

WEB_DIRECTORY = "./web"

if "folder_paths" in sys.modules:  # ComfyUI imports this; pytest does too, as part of the tests' package
    from .nodes import comfy_entrypoint as comfy_entrypoint
