"""From noise to latents: one clip's denoising loop, and the loop over clips."""
