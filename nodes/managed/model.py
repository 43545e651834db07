"""EMO's Backbone as a ComfyUI model: the ordinary ModelPatcher loads, offloads, patches and compiles it."""

from typing import Any

import comfy.conds
import comfy.latent_formats
import comfy.model_base
import comfy.model_management
import comfy.model_patcher
import comfy.supported_models_base
import torch
from comfy.ldm.modules import attention
from torch import Tensor

from ...emo_modules.checkpoints.store import Checkpoint
from ...emo_modules.config import EMOConfig, ScheduleConfig
from ...emo_modules.cost.memory import activation_bytes, deep_cache_bytes
from ...emo_modules.models.attention import Operations, attend
from ...emo_modules.models.conditions import Conditions, are_few, in_one_batch
from ...emo_modules.models.denoiser import Denoiser
from ...emo_modules.writing.digest import digest

CONDITIONS = "emo_conditions"  # the conditioning key that carries one clip's conditions to the model
DEEP = "emo_deep_features"  # in ComfyUI's table of shapes: those conditions keep deep features
DTYPES = {"fp16": torch.float16, "bf16": torch.bfloat16, "fp32": torch.float32}


def comfy_attend(query: Tensor, key: Tensor, value: Tensor, heads: int) -> Tensor:
    """The attention that the user chose with ComfyUI's flags."""
    if query.device.type == "cpu":  # ComfyUI's choice there, sub-quadratic, is several times slower
        return attend(query, key, value, heads)
    return attention.optimized_attention(query, key, value, heads)


def managed_operations(operations: Any) -> type[Operations]:
    """ComfyUI's layers and attention, with their weights from the start.

    On Windows with dynamic VRAM some layers have none before they are loaded, so that a checkpoint could not
    be compared with the model. Here they stand on the meta device and take no memory either.
    """

    class Managed(operations):
        attend = staticmethod(comfy_attend)

        class Linear(operations.Linear):
            _load_from_state_dict = torch.nn.Module._load_from_state_dict

        class Embedding(operations.Embedding):
            _load_from_state_dict = torch.nn.Module._load_from_state_dict

    return Managed


class EMODenoiser(Denoiser):
    """`diffusion_model`: one clip's frames are the batch; its conditions come in as a conditioning key."""

    def __init__(self, config: EMOConfig, dtype: torch.dtype, device: torch.device, operations: Any):
        with torch.device("meta"):  # the checkpoint's tensors take the place of these
            super().__init__(config, managed_operations(operations))
        self.to(dtype)  # ComfyUI notes it as the type that weights come back to
        self.dtype = dtype

    def forward(
        self, x: Tensor, timesteps: Tensor, emo_conditions: Conditions | None = None, **_: Any
    ) -> Tensor:
        """x (F, C, h, w) -> prediction, same shape. Raises ValueError without a clip's conditions."""
        if emo_conditions is None:
            raise ValueError(
                "EMO's model needs the conditions of a clip, got none: connect it to EMO Sampler, which "
                "offers every sampler and scheduler of KSampler"
            )
        return self.predict(x, timesteps, emo_conditions)


class ClipConditions(comfy.conds.CONDRegular):
    """One clip's conditions as they are, not repeated over frames; joined with guidance's other half where
    one pass is faster than two."""

    def __init__(self, cond: Conditions):
        super().__init__(cond)
        self.joined: tuple[list[Conditions], Conditions] = ([], cond)  # with these, at the last step

    def process_cond(self, **_: Any) -> "ClipConditions":
        return self

    def can_concat(self, other: "ClipConditions") -> bool:
        return self.cond.few

    def concat(self, others: list["ClipConditions"]) -> Conditions:
        given = [other.cond for other in others]
        if list(map(id, given)) != list(map(id, self.joined[0])):
            self.joined = (given, in_one_batch([self.cond, *given]))
        return self.joined[1]

    def size(self) -> list[int]:
        return [1]


class EMOModel(comfy.model_base.BaseModel):
    weights_digest: str  # of the files they come from, set by `load_denoiser`

    def extra_conds(self, **kwargs: Any) -> dict[str, comfy.conds.CONDRegular]:
        out = super().extra_conds(**kwargs)
        if CONDITIONS in kwargs:
            out[CONDITIONS] = ClipConditions(kwargs[CONDITIONS])
        return out

    def extra_conds_shapes(self, **kwargs: Any) -> dict[str, list[int]]:
        conditions: Conditions | None = kwargs.get(CONDITIONS)
        return {} if conditions is None or conditions.deep is None else {DEEP: [1]}

    def memory_required(self, input_shape: list[int], cond_shapes: Any = None) -> float:
        """Bytes. ComfyUI asks for both halves of guidance at once, and for one half, which is the least that
        it leaves free; most halves run one after the other."""
        frames, _, height, width = input_shape
        config = self.diffusion_model.config
        windows = config.quirks.windows
        half = min(frames, windows.frames if windows else config.clip_frames)
        cached = DEEP in (cond_shapes or {})  # of each half of guidance, which then run in turn
        device = comfy.model_management.get_torch_device()
        together = not cached and are_few(half, height, width, device)
        size = config, frames if together else half, height, width, self.get_dtype_inference()
        return activation_bytes(*size) + (deep_cache_bytes(*size) if cached else 0)

    def get_dtype_inference(self) -> torch.dtype:  # not in ComfyUI 0.3.64
        return self.manual_cast_dtype or self.get_dtype()


class EMOModelConfig(comfy.supported_models_base.BASE):
    """What ComfyUI asks about a model before it builds it."""

    unet_extra_config: dict[str, Any] = {}

    def __init__(self, config: EMOConfig):
        super().__init__({"config": config})
        self.latent_format = latent_format(config)
        self.sampling_settings = sampling_settings(config.schedule)


def latent_format(config: EMOConfig) -> comfy.latent_formats.LatentFormat:
    """Stable Diffusion 1.5's, with its previews, where the latents are; else a plain one."""
    sd15 = comfy.latent_formats.SD15()
    if (config.latent_channels, config.latent_scale) == (sd15.latent_channels, sd15.scale_factor):
        return sd15
    own = comfy.latent_formats.LatentFormat()
    own.latent_channels, own.scale_factor = config.latent_channels, config.latent_scale
    return own


def sampling_settings(schedule: ScheduleConfig) -> dict[str, Any]:
    """diffusers' "scaled_linear" is ComfyUI's "linear", and diffusers' "linear" its "sqrt_linear"."""
    return {
        "beta_schedule": {"scaled_linear": "linear", "linear": "sqrt_linear"}[schedule.beta_schedule],
        "linear_start": schedule.beta_start,
        "linear_end": schedule.beta_end,
        "zsnr": schedule.zero_terminal_snr,
    }


MODEL_TYPES = {
    "epsilon": comfy.model_base.ModelType.EPS,
    "v_prediction": comfy.model_base.ModelType.V_PREDICTION,
}


def choose_dtypes(
    choice: str, parameters: int, stored: torch.dtype
) -> tuple[torch.dtype, torch.dtype | None]:
    """(of the weights, of the arithmetic or None for the same) on this machine; "auto" asks ComfyUI."""
    device, supported = comfy.model_management.get_torch_device(), list(DTYPES.values())
    weights = DTYPES.get(choice) or comfy.model_management.unet_dtype(
        device=device, model_params=parameters, supported_dtypes=supported, weight_dtype=stored
    )
    return weights, comfy.model_management.unet_manual_cast(weights, device, supported)


def patcher_class() -> type[comfy.model_patcher.ModelPatcher]:
    """Newer versions put the patcher for dynamic VRAM in place of the ordinary one at start."""
    return getattr(comfy.model_patcher, "CoreModelPatcher", comfy.model_patcher.ModelPatcher)


def load_denoiser(
    checkpoint: Checkpoint, weights: torch.dtype, arithmetic: torch.dtype | None
) -> comfy.model_patcher.ModelPatcher:
    """The MODEL of a checkpoint. Raises ValueError when keys are missing, left over or of another shape."""
    offload_device = comfy.model_management.unet_offload_device()
    config = EMOModelConfig(checkpoint.config)
    config.set_inference_dtype(weights, arithmetic)
    kind = MODEL_TYPES[checkpoint.config.schedule.prediction]
    model = EMOModel(config, kind, device=offload_device, unet_model=EMODenoiser)
    model.weights_digest = digest(checkpoint.files_digest, weights)
    checkpoint.load_into(dict(model.diffusion_model.named_children()), offload_device, weights)
    return patcher_class()(
        model.eval(), load_device=comfy.model_management.get_torch_device(), offload_device=offload_device
    )
