"""LoRAs: what they change, that nothing else changes, and which files are refused, in one sentence each."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from emo_modules.checkpoints.adapter import INFO, AdapterUse, read_adapter
from emo_modules.checkpoints.merge import merge
from emo_modules.checkpoints.store import load_checkpoint, read_checkpoint, save_checkpoint
from emo_modules.models.emo import EMO
from emo_modules.sampling.lean import lean_conditioner
from emo_modules.schedule import FewSteps

from ..adapters import ALPHA, random_layers, random_lora


@pytest.fixture
def model(small_config) -> EMO:
    return EMO(small_config).eval()


@pytest.fixture
def checkpoint(model, tmp_path) -> Path:
    (path,) = save_checkpoint(tmp_path / "base.safetensors", model.config, dict(model.named_children()))
    return path


@pytest.fixture
def lora(small_config, tmp_path) -> AdapterUse:
    return random_lora(tmp_path / "person.safetensors", small_config, notes={"licence": "MIT"})


def test_a_layer_changes_by_strength_alpha_and_rank_and_no_other_by_a_bit(model, checkpoint, lora):
    found = load_checkpoint(checkpoint, adapters=[replace(lora, strength=0.5)]).model.state_dict()
    layers = random_layers(model)
    assert {name.split(".")[0] for name in layers} == {"backbone", "reference_net"}
    for key, before in model.state_dict().items():
        layer = layers.get(key.removesuffix(".weight")) if key.endswith(".weight") else None
        if layer is None:
            assert torch.equal(found[key], before)
            continue
        change = torch.einsum("or,r...->o...", layer.up.flatten(1), layer.down)
        assert torch.allclose(found[key], before + 0.5 * ALPHA / 2 * change, atol=1e-6)
        assert (found[key] - before).abs().max() > 0.01


def test_two_loras_add_up(checkpoint, lora):
    twice = load_checkpoint(checkpoint, adapters=[lora, lora]).model.state_dict()
    double = load_checkpoint(checkpoint, adapters=[replace(lora, strength=2.0)]).model.state_dict()
    assert all(torch.allclose(twice[key], value, atol=1e-6) for key, value in double.items())


def test_half_of_the_memory_has_the_same_weights(checkpoint, lora):
    whole, lean = load_checkpoint(checkpoint, adapters=[lora]), lean_conditioner(checkpoint, adapters=[lora])
    parts = {"backbone": lean.denoiser.backbone, "reference_net": lean.net()}
    for name, part in parts.items():
        expected = getattr(whole.model, name).state_dict()
        assert all(torch.equal(value, expected[key]) for key, value in part.state_dict().items())


def test_a_merged_checkpoint_is_one_with_a_lora(model, lora, checkpoint, tmp_path):
    half = tmp_path / "half.safetensors"
    notes = {"licence": "CC BY 4.0", "title": "Base"}
    save_checkpoint(half, model.config, dict(model.named_children()), notes, torch.float16)
    for base, output in ((checkpoint, tmp_path / "a.safetensors"), (half, tmp_path / "b.safetensors")):
        merge(base, output, [lora])
        loaded = load_checkpoint(base, dtype=None, adapters=[lora]).model.state_dict()
        merged = load_checkpoint(output, dtype=None).model.state_dict()
        assert all(torch.equal(value, loaded[key]) for key, value in merged.items())
    found = read_checkpoint(tmp_path / "b.safetensors")
    assert {value.dtype for value in found.tensors.values()} == {torch.float16}
    assert found.notes == {"licence": "CC BY 4.0; MIT", "title": "Base with person"}
    with pytest.raises(ValueError, match="would be overwritten"):
        merge(checkpoint, lora.path, [lora])


def test_another_lora_and_another_strength_are_other_weights(checkpoint, lora, small_config, tmp_path):
    other = random_lora(tmp_path / "other.safetensors", small_config, ["backbone"])
    uses = ([], [lora], [replace(lora, strength=0.5)], [other], [lora, other])
    assert len({read_checkpoint(checkpoint, use).files_digest for use in uses}) == 5


def test_names_are_those_of_comfyui(lora):
    keys = load_file(lora.path).keys()
    assert "diffusion_model.backbone.conv_in.lora_A.weight" in keys
    assert "reference_net.conv_in.lora_B.weight" in keys
    assert {key.split(".")[0] for key in keys} == {"diffusion_model", "reference_net"}


@pytest.mark.parametrize(
    ("text", "path", "strength"),
    [
        ("a/b.safetensors", "a/b.safetensors", 1.0),
        ("a/b.safetensors:0.5", "a/b.safetensors", 0.5),
        ("a:-1", "a", -1.0),
        ("C:/b.safetensors", "C:/b.safetensors", 1.0),
        ("C:/b.safetensors:2", "C:/b.safetensors", 2.0),
    ],
)
def test_a_strength_stands_behind_a_colon(text, path, strength):
    assert AdapterUse.parse(text) == AdapterUse(Path(path), strength)
    assert AdapterUse.parse(str(AdapterUse.parse(text))) == AdapterUse(Path(path), strength)


def test_two_that_were_made_for_different_steps_are_refused(checkpoint, small_config, tmp_path):
    four, two, again = (
        random_lora(tmp_path / name, small_config, few_steps=FewSteps.of("lcm", steps))
        for name, steps in (("four.safetensors", 4), ("two.safetensors", 2), ("again.safetensors", 4))
    )
    with pytest.raises(ValueError, match="four.safetensors for 4 .*two.safetensors for 2 .*: leave one"):
        read_checkpoint(checkpoint, [four, two])
    silent = AdapterUse(two.path, 0.0)
    assert read_checkpoint(checkpoint, [four, silent, again]).config.schedule.steps == 4


def changed(path: Path, **edits: torch.Tensor | None) -> None:
    """The file with other tensors, by the ends of their names; None leaves them out."""
    tensors, metadata = load_file(path), {INFO: json.dumps(INFORMATION)}
    for end, value in edits.items():
        for key in [key for key in tensors if key.endswith(end)]:
            tensors.pop(key)
            if value is not None:
                tensors[key] = value.clone()
    save_file(tensors, path, metadata=metadata)


INFORMATION = {"family": "emo", "rank": 2, "parts": ["backbone", "reference_net"], "base": "the small one"}
REFUSED = [
    ({"family": "hallo"}, {}, r"is a LoRA for the family hallo, the model is of emo: .* \(the small one\)"),
    ({"rank": 4}, {}, r"has A \(2, .*\) and B \(16, 2, .*\), its metadata say rank 4: the file is damaged"),
    ({"rank": 0}, {}, "its metadata cannot be read: AdapterInfo.rank is 0"),
    ({"speed": 1}, {}, "its metadata cannot be read: AdapterInfo has no field speed"),
    ({}, {"alpha": None}, "has no alpha; the file is damaged"),
    ({}, {"to_q.lora_B.weight": None}, r"has no lora_B\.weight; the file is damaged"),
    ({}, {"to_q.lora_A.weight": torch.zeros(2, 5)}, r"changes \(\d+, 5\), small has \(\d+, \d+\) there"),
    ({}, {"to_q.lora_A.weight": torch.zeros(3, 16)}, "its metadata say rank 2"),
    ({}, {"to_q.lora_A.weight": torch.zeros(2)}, "its metadata say rank 2"),
]  # fmt: skip


@pytest.mark.parametrize(("information", "tensors", "message"), REFUSED)
def test_a_lora_that_does_not_fit_is_refused_in_a_sentence(checkpoint, lora, information, tensors, message):
    changed(lora.path, **tensors)
    metadata = {INFO: json.dumps(INFORMATION | information)}
    save_file(load_file(lora.path), lora.path, metadata=metadata)
    with pytest.raises(ValueError, match=message) as caught:
        load_checkpoint(checkpoint, adapters=[lora])
    assert str(lora.path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_layer_that_the_model_lacks_is_named(checkpoint, lora):
    tensors = load_file(lora.path)
    for end in ("lora_A.weight", "lora_B.weight", "alpha"):
        tensors[f"diffusion_model.backbone.other.{end}"] = tensors[f"reference_net.conv_in.{end}"].clone()
    save_file(tensors, lora.path, metadata={INFO: json.dumps(INFORMATION)})
    with pytest.raises(ValueError, match=r"its backbone\.other changes .*, small has no such layer"):
        read_checkpoint(checkpoint, [lora])


def test_other_files_are_not_taken_for_loras(checkpoint, tmp_path):
    with pytest.raises(ValueError, match=re.escape(f"{checkpoint}: expected a LoRA for EMO")):
        read_adapter(checkpoint)
    with pytest.raises(FileNotFoundError, match="nothing there; expected a LoRA"):
        read_adapter(tmp_path / "none.safetensors")
    (tmp_path / "page.safetensors").write_bytes(b"<html>")
    with pytest.raises(ValueError, match="found a web page"):
        read_adapter(tmp_path / "page.safetensors")
    save_file({"x": torch.zeros(1)}, tmp_path / "x.safetensors", metadata={INFO: json.dumps(INFORMATION)})
    with pytest.raises(ValueError, match="has x, which is no part of a LoRA"):
        read_adapter(tmp_path / "x.safetensors")
