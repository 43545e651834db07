#!/bin/bash
# The three stages on 2 nodes of 4 GPUs. A job that is stopped goes on where it was: submit it again.
#   sbatch --export=ALL,STAGE=1-image,START="--sd15 weights/unet.safetensors" slurm/train.sh
#   sbatch --export=ALL,STAGE=2-video,START="--checkpoint runs/1-image/checkpoint.safetensors \
#       --animatediff weights/mm_sd_v15_v2.ckpt" slurm/train.sh
#   sbatch --export=ALL,STAGE=3-speed,START="--checkpoint runs/2-video/checkpoint.safetensors" slurm/train.sh
#SBATCH --job-name=emo-train
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --gpus-per-node=4
#SBATCH --cpus-per-task=32
#SBATCH --time=24:00:00
#SBATCH --requeue
set -euo pipefail
HEAD=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
srun torchrun --nnodes "$SLURM_NNODES" --nproc-per-node 4 \
    --rdzv-backend c10d --rdzv-id "$SLURM_JOB_ID" --rdzv-endpoint "$HEAD:29500" \
    -m emo_training train --config "configs/$STAGE.yaml" --shards shards --out "runs/$STAGE" \
    --vae weights/vae.safetensors --audio-encoder weights/wav2vec2.safetensors \
    --workers 8 --minutes 1420 $START
