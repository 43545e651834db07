"""Checkpoints that are damaged, absurd or meant to harm, made of a good one, and what is said of each.

tests/checkpoints/test_hostile.py loads them; benchmarks/hostile_checkpoints.py measures what each costs.
"""

import json
import os
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

Content = Callable[[bytes], bytes]  # a good checkpoint -> a bad one
CONFIG = "emo_config"


@dataclass(frozen=True)
class Case:
    make: Content
    said: str  # regular expression
    name: str = "x.safetensors"

    def write(self, folder: Path, good: bytes) -> Path:
        path = folder / self.name
        path.write_bytes(self.make(good))
        return path


def take_apart(good: bytes) -> tuple[dict[str, Any], bytes]:
    """The header's entries, and the tensors' bytes."""
    end = 8 + int.from_bytes(good[:8], "little")
    return json.loads(good[8:end]), good[end:]


def put_together(header: bytes, body: bytes, length: int | None = None) -> bytes:
    """`length`: what the file says of its header, if not the truth."""
    return (len(header) if length is None else length).to_bytes(8, "little") + header + body


def damaged(change: Callable[[bytes], bytes]) -> Content:
    """The bytes of the header, changed."""

    def make(good: bytes) -> bytes:
        entries, body = take_apart(good)
        return put_together(change(json.dumps(entries).encode()), body)

    return make


def lying(length: int) -> Content:
    return lambda good: length.to_bytes(8, "little") + good[8:]


def cut_to(low_byte: int) -> Content:
    """The beginning of a file whose header's length ends in that byte."""

    def make(good: bytes) -> bytes:
        header = good[8 : 8 + int.from_bytes(good[:8], "little")]
        length = len(header) + (low_byte - len(header)) % 256
        return put_together(header.ljust(length), b"")[:300]

    return make


def tensor(**changes: Any) -> Content:
    """The first tensor's entry, changed; None removes a field."""

    def make(good: bytes) -> bytes:
        entries, body = take_apart(good)
        name = next(name for name in entries if name != "__metadata__")
        entry = entries[name] | changes
        entries[name] = {key: value for key, value in entry.items() if value is not None}
        return put_together(json.dumps(entries).encode(), body)

    return make


def configured(text: str) -> Content:
    """Another text in place of the configuration."""

    def make(good: bytes) -> bytes:
        entries, body = take_apart(good)
        entries["__metadata__"][CONFIG] = text
        return put_together(json.dumps(entries).encode(), body)

    return make


def field(**changes: Any) -> Content:
    """Fields of the configuration; `backbone__heads` is one inside another."""

    def make(good: bytes) -> bytes:
        config = json.loads(take_apart(good)[0]["__metadata__"][CONFIG])
        for path, value in changes.items():
            *outer, name = path.split("__")
            target = config
            for key in outer:
                target = target[key]
            target[name] = value
        return configured(json.dumps(config))(good)

    return make


def whole_numbers(good: bytes) -> bytes:
    """Weights as int8, a byte each: what a quantiser writes."""
    entries, _ = take_apart(good)
    place = 0
    for name, entry in entries.items():
        if name != "__metadata__":
            size = torch.Size(entry["shape"]).numel()
            entry |= {"dtype": "I8", "data_offsets": [place, place + size]}
            place += size
    return put_together(json.dumps(entries).encode(), bytes(place))


class Malicious:
    """Unpickling it makes a folder."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("it ran",)


def pickled(content: Any, new: bool = True) -> Content:
    def make(good: bytes) -> bytes:
        path = Path(f"{os.getpid()}.made")
        torch.save(content, path, _use_new_zipfile_serialization=new)
        made = path.read_bytes()
        path.unlink()
        return made

    return make


def nested(depth: int) -> str:
    return "[" * depth + "]" * depth


HEADERS = {
    "empty": Case(lambda good: b"", "an empty file"),
    "a web page": Case(lambda good: b"<!DOCTYPE html><html>log in</html>", "a web page"),
    "an LFS pointer": Case(lambda good: b"version https://git-lfs.github.com/spec/v1\n", "Git LFS pointer"),
    "3 bytes": Case(lambda good: good[:3], "3 bytes that are no safetensors file"),
    "cut in the header": Case(lambda good: good[:300], "truncated safetensors file: 300 bytes"),
    "cut in the tensors": Case(lambda good: good[:-1000], "damaged safetensors file: .* bytes of "),
    "junk at the end": Case(lambda good: good + bytes(1000), "damaged safetensors file: .* bytes of "),
    "length 0": Case(lying(0), "no safetensors file|damaged"),
    "length 2^40": Case(lying(2**40), "header says it takes 1099511627776, over"),
    "length 50 GiB": Case(lying(50 * 2**30), "header says it takes 53687091200, over"),
    "length 2^63": Case(lying(2**63), "header says it takes 9223372036854775808, over"),
    "length 2^64-1": Case(lying(2**64 - 1), "header says it takes 18446744073709551615, over"),
    "17 MB header": Case(damaged(lambda h: h.ljust(17 * 2**20)), "header says it takes 17825792, over"),
    "length like a pickle's": Case(cut_to(0x80), "truncated safetensors file: 300 bytes"),
    "length like a page's": Case(cut_to(0x3C), "truncated safetensors file: 300 bytes"),
    "length like a zip's": Case(cut_to(0x50), "truncated safetensors file: 300 bytes"),
    "no JSON": Case(damaged(lambda h: h[:-1]), "with a damaged header"),
    "no UTF-8": Case(damaged(lambda h: h[:2] + b"\xff" + h[3:]), "with a damaged header"),
    "a list": Case(damaged(lambda h: b'{"a":[1]}'), "with a damaged header"),
    "nested": Case(damaged(lambda h: b'{"a":' + nested(200_000).encode() + b"}"), "with a damaged header"),
    "metadata of numbers": Case(damaged(lambda h: b'{"__metadata__":{"a":1}}'), "damaged safetensors file"),
    "no offsets": Case(tensor(data_offsets=None), "with a damaged header"),
    "one offset": Case(tensor(data_offsets=[0]), "with a damaged header"),
    "offsets of text": Case(tensor(data_offsets=["a", "b"]), "with a damaged header"),
    "offsets nobody has": Case(tensor(data_offsets=[0, 2**70]), "damaged safetensors file"),
    "negative offsets": Case(tensor(data_offsets=[-8, 0]), "damaged"),
    "overlapping offsets": Case(tensor(data_offsets=[64, 128]), "damaged"),
    "negative shape": Case(tensor(shape=[-1, 4]), "damaged"),
    "shape of 2^62": Case(tensor(shape=[2**62, 2**62]), "damaged"),
    "a type nobody has": Case(tensor(dtype="F99"), "damaged"),
}
CONFIGURATIONS = {
    "no configuration": Case(configured(""), "cannot be read"),
    "half of JSON": Case(configured('{"width": 64'), "cannot be read"),
    "null": Case(configured("null"), "EMOConfig is None; expected are names and values"),
    "a number": Case(configured("5"), "EMOConfig is 5; expected are names and values"),
    "a list": Case(configured("[]"), r"EMOConfig is \[\]; expected are names and values"),
    "nested": Case(configured(nested(30_000)), "nested without end"),
    "1 MB": Case(field(name="x" * 2**20), "takes .* characters; expected are at most"),
    "backbone null": Case(field(backbone=None), "EMOConfig.backbone is None; expected is names and values"),
    "schedule null": Case(field(schedule=None), "EMOConfig.schedule is None"),
    "audio a list": Case(field(audio=[]), r"EMOConfig.audio is \(\)"),
    "vae null": Case(field(vae=None), "EMOConfig.vae is None"),
    "newer": Case(field(colour=1), "EMOConfig has no field colour"),
    "NaN": Case(field(fps=float("nan")), "EMOConfig.fps is nan; expected is a number from 1 to 240"),
    "infinite": Case(field(latent_scale=float("inf")), "EMOConfig.latent_scale is inf"),
    "a number of 400 digits": Case(field(fps=10**400), "EMOConfig.fps is 1000"),
    "text for a number": Case(field(width="128"), "EMOConfig.width is '128'; expected is a whole number"),
    "a fraction of pixels": Case(field(width=64.5), "EMOConfig.width is 64.5"),
    "true for a number": Case(field(clip_frames=True), "EMOConfig.clip_frames is True"),
    "width 0": Case(field(width=0), "EMOConfig.width is 0; expected .* from 8 to 4096"),
    "width 63": Case(field(width=63), "EMOConfig.width is 63; expected .* in steps of 8"),
    "fps 0": Case(field(fps=0), "EMOConfig.fps is 0"),
    "fps 1e9": Case(field(fps=1e9), "EMOConfig.fps is 1000000000.0"),
    "no clip": Case(field(clip_frames=0), "EMOConfig.clip_frames is 0"),
    "million motion frames": Case(field(motion_frames=10**6), "EMOConfig.motion_frames is 1000000"),
    "1e9 steps": Case(field(schedule__steps=10**9), "ScheduleConfig.steps is 1000000000"),
    "a solver nobody has": Case(field(schedule__solver="magic"), "ScheduleConfig.solver is 'magic'"),
    "a family nobody has": Case(
        field(family="parrot"), "family .parrot., known are emo, hallo, echomimic, v_expr"
    ),
    "a relative's picture": Case(
        field(quirks__locator_inputs=3), "locator_inputs 3; the pictures of emo have 1"
    ),
    "1e9 layers": Case(field(backbone__layers_per_block=10**9), "UNetConfig.layers_per_block is 1000000000"),
    "1e9 channels": Case(field(backbone__block_out_channels=[10**9] * 2), "UNetConfig.block_out_channels is"),
    "no levels": Case(field(backbone__block_out_channels=[]), "UNetConfig.block_out_channels is"),
    "no heads": Case(
        field(backbone__heads=0), "UNetConfig.heads is 0; expected is a whole number from 1 to 128"
    ),
    "no groups": Case(field(backbone__norm_groups=0), "UNetConfig.norm_groups is 0"),
    "1e12 hidden": Case(field(audio__hidden_dim=10**12), "AudioConfig.hidden_dim is 1000000000000"),
    "1e9 tokens": Case(field(audio__tokens=10**9), "AudioConfig.tokens is 1000000000"),
    "million frames around": Case(field(audio__context=10**6), "AudioConfig.context is 1000000"),
    "no buckets": Case(field(speed__centres=[], speed__radii=[]), "SpeedConfig.centres is"),
    "a bucket of no width": Case(field(speed__radii=[0.0] * 9), "SpeedConfig.radii is"),
    "no locator": Case(field(face_locator_channels=[]), "EMOConfig.face_locator_channels is"),
    "as wide as allowed": Case(
        field(
            backbone__block_out_channels=[16384] * 8,
            backbone__attention_levels=[True] * 8,
            backbone__layers_per_block=8,
            reference_net__block_out_channels=[16384] * 8,
            reference_net__attention_levels=[True] * 8,
            reference_net__layers_per_block=8,
        ),
        "asks for at least .* parameters, it has",
    ),
}
IMPOSSIBLE = {
    "reference joined in two ways": Case(
        field(backbone__quirks__reference_join="concat"), "need the same reference_join, got concat and cross"
    ),
    "read twice": Case(field(reference_net__role="reads"), "got roles reads and reads"),
    "written and read, as older versions say it": Case(
        field(backbone__reference_tap=True, backbone__reference_attention=True), "a UNet writes .* or reads"
    ),
    "7 heads": Case(field(backbone__heads=7), "block_out_channels 16 is no multiple of 7, which heads needs"),
    "two widths": Case(
        field(backbone__block_out_channels=[32, 64]),
        "need the same block_out_channels, got .32, 64. and .16, 32.",
    ),
    "speed without time": Case(
        field(backbone__quirks__temporal_without_attention=False),
        "speed_dim 8 needs temporal modules at every level",
    ),
    "deaf": Case(field(backbone__audio_dim=None), "the backbone needs audio_dim: nothing"),
    "two locator channels": Case(
        field(face_locator_channels=[4, 8]), "EMOConfig.face_locator_channels is .* of length 4"
    ),
}
NETWORKS = {
    "remote attention": Case(
        field(audio__encoder__attn_implementation="evil/repo"), "has no field attn_implementation"
    ),
    "remote attention by another name": Case(
        field(audio__encoder___attn_implementation="evil/repo"), "has no field _attn_implementation"
    ),
    "remote code": Case(
        field(audio__encoder__auto_map={"AutoModel": "evil/repo--x.Y"}), "has no field auto_map"
    ),
    "1e8 blocks": Case(
        field(audio__encoder__num_hidden_layers=10**8), "blocks of the encoder, which has 100000000"
    ),
    "1e8 channels in a block": Case(
        field(audio__encoder__intermediate_size=10**8), "Wav2Vec2Settings.intermediate_size is 100000000"
    ),
    "as deep as allowed": Case(
        field(
            audio__layers=64,
            audio__feature_dim=16384,
            audio__encoder__hidden_size=16384,
            audio__encoder__num_hidden_layers=64,
        ),
        "does not fit",
    ),
    "no stride": Case(field(audio__encoder__conv_stride=[5, 8, 0]), "Wav2Vec2Settings.conv_stride is"),
    "an hour for a feature": Case(
        field(
            audio__encoder__conv_dim=[8] * 8,
            audio__encoder__conv_kernel=[64] * 8,
            audio__encoder__conv_stride=[64] * 8,
            audio__encoder__num_feat_extract_layers=8,
        ),
        "a feature would see .* samples, more than a second",
    ),
    "another VAE": Case(field(vae___class_name="VQModel"), "names 'VQModel'"),
    "a VAE by its place": Case(field(vae___class_name="os.system"), "names 'os.system'"),
    "more of the VAE": Case(field(vae__operations="os"), "PatchVAESettings has no field operations"),
    "a VAE of 1e9 channels": Case(field(vae__widths=[10**9] * 3), "PatchVAESettings.widths is"),
    "a VAE of other latents": Case(field(vae__latent_channels=5), "latents have 4 .* of the VAE 5"),
    "int8 weights": Case(whole_numbers, "quantised or whole numbers: .* torch.int8"),
}
NAMES = {
    "one of 99999": Case(lambda good: good, "piece 1 of 99999", "x-00001-of-99999.safetensors"),
    "one of none": Case(lambda good: good, "piece 1 of 0", "x-00001-of-00000.safetensors"),
    "two of one": Case(lambda good: good, "piece 2 of 1,", "x-00002-of-00001.safetensors"),
    "one of 900": Case(
        lambda good: good, "of 900 files .* and 889 more is missing", "x-00001-of-00900.safetensors"
    ),
}
PICKLES = {
    "code": Case(lambda good: pickle.dumps(Malicious(), 2), "holds code, which was not run", "net.pth"),
    "code in a zip": Case(pickled({"a": Malicious()}), "holds code, which was not run", "net.pth"),
    "code in the old format": Case(
        pickled({"a": Malicious()}, new=False), "holds code, which was not run", "net.pth"
    ),
    "a pickle by a safe name": Case(lambda good: pickle.dumps(Malicious(), 2), "a Python pickle"),
    "a zip by a safe name": Case(pickled({"a": Malicious()}), "a zip archive"),
    "a whole module": Case(pickled(nn.Linear(2, 2)), "holds code, which was not run", "net.pth"),
    "a tensor of 4 TB": Case(
        pickled({"a": torch.zeros(1).expand(10**12)}), "bytes that say they were 4000000000000", "net.pth"
    ),
    "many of one": Case(
        pickled(dict.fromkeys(map(str, range(100)), torch.zeros(10**5))),
        "bytes that say they were",
        "net.pth",
    ),
    "cut": Case(lambda good: pickled({"a": torch.zeros(100)})(good)[:500], "truncated download", "net.pth"),
    "cut in the old format": Case(
        lambda good: pickled({"a": torch.zeros(100)}, new=False)(good)[:500],
        "damaged or holds code",
        "net.pth",
    ),
}
CASES = {
    f"{kind}: {name}": case
    for kind, cases in {
        "header": HEADERS,
        "configuration": CONFIGURATIONS,
        "impossible": IMPOSSIBLE,
        "network": NETWORKS,
        "name": NAMES,
        "pickle": PICKLES,
    }.items()
    for name, case in cases.items()
}
