"""EMO: talking portraits, as ComfyUI nodes."""

WEB_DIRECTORY = "./web"

if __package__:  # pytest imports this file as a plain module, without a package to import from
    from .nodes import comfy_entrypoint as comfy_entrypoint
