"""What the built-in model is made of."""

from dataclasses import replace

from emo_modules.config import AudioConfig, EMOConfig, Framing, ScheduleConfig, SpeedConfig, UNetConfig

# The first convolution takes 2.5 ms at once, for it begins as a bank of filters.
WAV2VEC2 = {
    "hidden_size": 96,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 512,
    "conv_dim": [128, 128, 128, 128],
    "conv_kernel": [40, 8, 4, 4],
    "conv_stride": [20, 4, 2, 2],
    "conv_bias": True,
    "feat_extract_norm": "layer",
    "do_stable_layer_norm": True,
    "num_conv_pos_embeddings": 31,
    "num_conv_pos_embedding_groups": 8,
    "hidden_dropout": 0.0,
    "attention_dropout": 0.0,
    "activation_dropout": 0.0,
    "feat_proj_dropout": 0.0,
    "layerdrop": 0.0,
    "mask_time_prob": 0.0,
}
AUDIO = AudioConfig(WAV2VEC2, context=8, layers=3, feature_dim=96, hidden_dim=256, tokens=4)
PATCH_VAE = {  # of 256 px: 4.6 GFLOP to decode a picture
    "_class_name": "PatchVAE",
    "latent_channels": 24,
    "widths": [96, 64, 32],
    "depths": [2, 4, 2],
    "linear": True,
}
# 256 px: latents on 32 x 32 places, of which the UNet sees 2 x 2 as one
UNET = UNetConfig(
    block_out_channels=(128, 128, 128),
    attention_levels=(True, True, True),
    layers_per_block=1,
    heads=2,
    norm_groups=16,
    patch=2,
)
# The rendered faces take 0.33 to 0.82 of the width, and their centres lie within these of the middle. Lips of
# faces that take little more than a third of it often do not move at all: these are cut out larger.
FRAMING = Framing(0.5, 0.47, 0.82, (0.5, 0.5), (0.15, 0.12))
BUILT_IN = EMOConfig(
    name="emo-built-in",
    latent_channels=24,
    latent_scale=1.0,
    width=256,
    height=256,
    vae=PATCH_VAE,
    moving=True,
    motion_code=True,
    backbone=replace(UNET, reference_positions=True, audio_dim=96, speed_dim=64, speed_positions=True),
    reference_net=replace(UNET, role="writes"),
    audio=AUDIO,
    speed=SpeedConfig(hidden_dim=64),
    schedule=ScheduleConfig("v_prediction", zero_terminal_snr=True, shared_noise=0.9, steps=1, cfg=1.0),
    face_locator_channels=(8, 16, 32, 48),
    framing=FRAMING,
)
