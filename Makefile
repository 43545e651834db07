# Every target works from a bare Python 3.11 with pip: the first one run makes the environment in .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
PIP_INSTALL := $(BIN)/python -m pip install -c constraints.txt
TORCH := $(shell grep '^torch==' constraints.txt)
# The checkout of ComfyUI that the tests in tests/comfyui start.
COMFYUI_PATH ?= $(HOME)/comfy/ComfyUI
export COMFYUI_PATH

.PHONY: help install demo test test-slow lint types install-comfyui test-comfyui web-test locales archive \
	demo-data train-demo evaluate

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1: /p' $(MAKEFILE_LIST)

install: $(INSTALLED) ## create .venv

demo: $(INSTALLED) ## animate the sample portrait: output/demo.mp4 and output/demo.png
	@mkdir -p output
	$(BIN)/python -m emo_modules animate samples/portrait.png samples/speech.wav \
		-o output/demo.mp4 --sheet output/demo.png

test: $(INSTALLED) ## run the tests but the slow ones
	$(BIN)/python -m pytest -q -rs -n auto --dist loadfile -m "not slow"

test-slow: $(INSTALLED) ## run the slow tests: kills, Ray, compilers, trainings
	$(BIN)/python -m pytest -q -rs -n auto --dist loadfile -m slow

lint: $(INSTALLED) ## check the style and the types
	$(BIN)/python -m ruff check
	$(BIN)/python -m ruff format --check
	@$(MAKE) types

# The nodes import the library by dots from a folder of any name: here it is called pack.
types: $(INSTALLED) ## check the types
	$(BIN)/python -m mypy
	@mkdir -p .mypy_cache/tree && ln -sfn ../.. .mypy_cache/tree/pack
	cd .mypy_cache/tree && ../../$(BIN)/python -m mypy -p pack.nodes

install-comfyui: $(INSTALLED) ## install what the ComfyUI in COMFYUI_PATH needs
	$(PIP_INSTALL) -r "$(COMFYUI_PATH)/requirements.txt" requests

test-comfyui: $(INSTALLED) ## run the nodes inside the ComfyUI in COMFYUI_PATH; fails if there is none
	EMO_REQUIRE_COMFYUI=1 $(BIN)/python -m pytest -q -rs -n auto --dist loadfile tests/comfyui

web-test: ## run the tests of the JavaScript, if node is there
	@if command -v node >/dev/null; then node --test tests/web/*.mjs; else echo 'skipped: node is not installed'; fi

locales: $(INSTALLED) ## copy the nodes' English texts to locales/en
	$(BIN)/python -m tests.test_packaging

archive: $(INSTALLED) ## make the registry's archive, and list what is in it: output/emo-portrait.zip
	$(BIN)/python -m tests.registry_archive output/emo-portrait.zip

demo-data: $(INSTALLED) ## render the people that the demo model is trained on, and those it is checked with
	$(BIN)/python -m emo_people render-pool --out runs/demo/pool
	$(BIN)/python -m emo_people render-clips --people 4000 --out runs/demo/clips
	$(BIN)/python -m emo_people render-clips --first 1000000 --people 64 --out runs/demo/held_out

train-demo: $(INSTALLED) ## train the demo model on them
	$(BIN)/python -m emo_people train-vae --pool runs/demo/pool --out runs/demo/vae.safetensors
	$(BIN)/python -m emo_people train-audio-encoder --sounds runs/demo/sounds \
		--out runs/demo/audio_encoder.safetensors
	$(BIN)/python -m emo_people train-articulation --spoken runs/demo/spoken \
		--audio-encoder runs/demo/audio_encoder.safetensors --out runs/demo/articulation.safetensors
	$(BIN)/python -m emo_people train-built-in --clips runs/demo/clips --held-out runs/demo/held_out \
		--vae runs/demo/vae.safetensors --audio-encoder runs/demo/audio_encoder.safetensors \
		--articulation runs/demo/articulation.safetensors --out runs/demo/model

evaluate: $(INSTALLED) ## measure the demo model on 60 unseen people: output/evaluation.json
	@mkdir -p output
	$(BIN)/python -m emo_people evaluate --seed 1 --json output/evaluation.json

# torch goes first and alone, so that pip takes a CPU build where an index offers one.
$(INSTALLED): constraints.txt pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info; v >= (3, 11) or sys.exit(f"Python 3.11 or newer is needed, this is {v.major}.{v.minor}: make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(PIP_INSTALL) $(TORCH)
	$(PIP_INSTALL) -e '.[train,footage,evaluate,cluster,people,dev]'
	@touch $@
