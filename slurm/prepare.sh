#!/bin/bash
# Prepare footage on a cluster: an array of 16 jobs, then one that packs. Every node sees both folders.
#   FOOTAGE=/data/footage SHARDS=/data/shards sbatch --array=0-15 slurm/prepare.sh
#   sbatch --dependency=singleton --export=ALL,PACK=1 slurm/prepare.sh
# Run both again after any failure: finished files are skipped.
#SBATCH --job-name=emo-prepare
#SBATCH --cpus-per-task=32
#SBATCH --mem=64G
#SBATCH --time=24:00:00
#SBATCH --requeue
set -euo pipefail

options=(
    --analyzer "mediapipe:${LANDMARKER:?path of face_landmarker.task}"
    --syncnet "${SYNCNET:?path of syncnet_v2.model}"
)
if [ -n "${PACK:-}" ]; then
    work=(--pack)
else
    work=(--part "$SLURM_ARRAY_TASK_ID/$SLURM_ARRAY_TASK_COUNT" --workers "$SLURM_CPUS_PER_TASK")
fi

export OMP_NUM_THREADS=1
srun python -m emo_training prepare "${FOOTAGE:?}" "${SHARDS:?}" "${options[@]}" "${work[@]}"
