"""Configurations as earlier versions of this pack stored them, brought to today's form."""

from typing import Any

# What one field `role` says now: (as ReferenceNet had it, as the Backbone had it).
ROLE = {"reference_tap": (True, False), "reference_attention": (False, True), "temporal": (False, True)}
UNET_QUIRKS = (
    "reference_join",
    "reference_scale",
    "audio_scale",
    "context_dim",
    "temporal_without_attention",
)
QUIRKS = {
    "windows": "windows",
    "identity": "identity",
    "first_motion": "first_motion",
    "motion_pixels": "motion_pixels",
    "face_guided": "face_guided",
    "face_locator_inputs": "locator_inputs",
    "face_locator_convs": "locator_convs",
    "face_locator_pictures": "locator_pictures",
}
AUDIO_QUIRKS = {
    "projection": "audio_projection",
    "rows": "audio_rows",
    "row_rate": "audio_row_rate",
    "ends": "audio_ends",
}


def upgrade(values: dict[str, Any]) -> dict[str, Any]:
    """An `EMOConfig` as JSON holds it, of any version -> of this one; what is wrong in it stays as it is.

    Raises ValueError when an older one gives a UNet parts of both roles, or is of a model that is no more.
    """
    values = dict(values)
    if values.pop("anchored", False) or values.pop("pictures", "any") == "drawn":
        raise ValueError(
            "it is of a model of drawn faces, which this version no longer runs: take the demo model that "
            "comes with it"
        )
    values.pop("pictures", None)
    for unet in ("backbone", "reference_net"):
        if isinstance(values.get(unet), dict):
            values[unet] = _unet(values[unet], unet)
    quirks = {new: values.pop(old) for old, new in QUIRKS.items() if old in values}
    if isinstance(audio := values.get("audio"), dict):
        values["audio"] = audio = dict(audio)
        quirks |= {new: audio.pop(old) for old, new in AUDIO_QUIRKS.items() if old in audio}
        audio.pop("features", None)  # the family says it
    if isinstance(schedule := values.get("schedule"), dict) and "noise_limit" in schedule:
        values["schedule"] = schedule = dict(schedule)
        quirks["noise_limit"] = schedule.pop("noise_limit")
    return values | ({"quirks": quirks} if quirks else {})


def _unet(values: dict[str, Any], name: str) -> dict[str, Any]:
    values = dict(values)
    parts = {part: values.pop(part) for part in ROLE if part in values}
    if parts:
        roles = {"writes" if value == ROLE[part][0] else "reads" for part, value in parts.items()}
        if len(roles) > 1:
            raise ValueError(
                f"{name} has {', '.join(f'{part} {value}' for part, value in parts.items())}: a UNet writes "
                "(reference_tap alone) or reads (reference_attention and temporal)"
            )
        values["role"] = roles.pop()
    for part in ("in_channels", "out_channels"):  # the latents say it
        values.pop(part, None)
    quirks = {part: values.pop(part) for part in UNET_QUIRKS if part in values}
    branches, width = values.pop("audio_branches", 3), values.pop("audio_module_dim", None)
    if width is not None:
        quirks["audio_branches"], values["audio_dim"] = branches, width
    return values | ({"quirks": quirks} if quirks else {})
