"""From a picture and a waveform to frames: what the command line runs, without ComfyUI."""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Self

import torch
from torch import Tensor

from .checkpoints.adapter import AdapterUse
from .checkpoints.encoders import load_audio_encoder, load_vae
from .checkpoints.store import DEMO_CHECKPOINT, checkpoint_files, load_checkpoint
from .checkpoints.tiny_decoder import TinyDecoder, load_tiny_decoder
from .checkpoints.vae import VAE
from .config import EMOConfig
from .cost.stopwatch import Stopwatch
from .cues.face import resize
from .cues.face_embedding import face_embedding
from .families.family import SpeechEncoder
from .families.table import audio_track, face_cues
from .media.audio import Audio
from .media.ending import Ending
from .models.conditions import Conditions
from .models.deep_cache import warn_if_idle
from .models.denoiser import Denoiser
from .models.emo import Conditioner
from .options import Options
from .prepared import Prepared
from .sampling.clip_store import ClipStore
from .sampling.clips import Driving, Kept, as_solved, clip_count, noise_for, pictures_of, render_clips
from .sampling.decode import Decoder, decode_beside, decode_frames
from .sampling.enlarge import Enlarger
from .sampling.lean import lean_conditioner
from .sampling.live import LiveTrack
from .sampling.motion_code import EndlessCode, motion_code
from .sampling.solver import Solver, Step
from .writing.digest import code_digest, digest, file_digest

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Progress:
    """Where a rendering stands: clip 1..clips, step 1..steps, and the current estimate of the clip's
    latents."""

    clip: int
    clips: int
    step: int
    steps: int
    estimate: Tensor


@dataclass(frozen=True)
class Animation:
    """`frames` yields (F', H, W, 3) in 0..1 on the model's device, clip by clip, computed as they are asked
    for."""

    frames: Iterator[Tensor]
    count: int
    fps: float
    audio: Audio  # exactly as long as the frames
    prepared: Prepared


@dataclass(frozen=True)
class Pipeline:
    """A checkpoint's parts, ready to run."""

    conditioner: Conditioner
    vae: VAE
    audio_encoder: SpeechEncoder
    name: str = ""  # which weights these are, and how they compute
    store: ClipStore | None = None  # of finished clips, for weights that have a name
    tiny_decoder: TinyDecoder | None = None  # of the frames, in the VAE's place

    @classmethod
    def load(
        cls,
        checkpoint: str | Path = DEMO_CHECKPOINT,
        device: str = "cpu",
        dtype: torch.dtype = torch.float32,
        vae: Path | None = None,
        audio_encoder: Path | None = None,
        low_memory: bool = False,
        store: ClipStore | None = None,
        adapters: Sequence[AdapterUse] = (),
        tiny_decoder: Path | None = None,
    ) -> Self:
        """From one checkpoint, changed by `adapters`, or with VAE and audio encoder from files of their own.

        `low_memory` holds ReferenceNet only while it reads. Clips that are in `store` are not computed again.
        Raises ValueError when a part is missing or does not fit.
        """
        loaded = load_checkpoint(checkpoint, device, dtype, emo=not low_memory, adapters=adapters)
        own_vae = load_vae(vae, loaded.config, device, dtype) if vae else loaded.vae
        encoder = loaded.audio_encoder
        if audio_encoder:
            encoder = load_audio_encoder(audio_encoder, loaded.config, device)
        if own_vae is None or encoder is None:
            parts = {"vae": own_vae, "audio_encoder": encoder}
            missing = [name for name, part in parts.items() if part is None]
            raise ValueError(
                f"{checkpoint} has no {' and no '.join(missing)}; name files of them with "
                f"{' and '.join('--' + name.replace('_', '-') for name in missing)}"
            )
        conditioner = (
            loaded.model.conditioner()
            if loaded.model
            else lean_conditioner(checkpoint, device, dtype, adapters)
        )
        if torch.device(device).type != "cpu":
            conditioner.denoiser.fuse()
        files = [*checkpoint_files(Path(checkpoint)), *(file for file in (vae, audio_encoder) if file)]
        code, changes = code_digest(Path(__file__).parent), [use.digest() for use in adapters]
        name = digest(file_digest(*files), changes, torch.device(device).type, dtype, code)
        tiny = load_tiny_decoder(tiny_decoder, loaded.config, device, dtype) if tiny_decoder else None
        return cls(conditioner, own_vae, encoder, name, store, tiny)

    def compiled(self) -> Self:
        """With a Backbone that is slow to start and has faster steps. Its roundings are its own."""
        self.model.backbone.compile()
        return replace(self, name=digest(self.name, "compiled"))

    @property
    def config(self) -> EMOConfig:
        return self.conditioner.config

    @property
    def decoder(self) -> Decoder:
        """Of the frames."""
        return self.tiny_decoder or self.vae

    @property
    def model(self) -> Denoiser:
        return self.conditioner.denoiser

    @torch.no_grad()
    def latents(
        self,
        prepared: Prepared,
        audio: Audio | LiveTrack,
        frames: int,
        options: Options,
        progress: Callable[[Progress], None] | None = None,
        stopped: Callable[[], bool] = lambda: False,
        watch: Stopwatch | None = None,
    ) -> Iterator[Tensor]:
        """Latents (F', C, H, W) of clip after clip, until `stopped` after one. The last of `frames` frames is
        the sound's last; of sound that is still coming `frames` is ENDLESS, and the last clip whole.

        Raises MemoryError that says what to lower when a clip does not fit.
        """
        config = self.config
        device, dtype = (weights := next(self.model.parameters())).device, weights.dtype
        clips, done = clip_count(frames, config), 0

        def on_step(step: Step) -> None:
            assert progress is not None  # else the solver is given nothing to call
            progress(Progress(done + 1, clips, step.index, step.total, step.estimate))

        try:
            picture, face = prepared.model_sized(config)
            pixels = picture[None].to(device, dtype) * 2 - 1
            reference = self.vae.encode(pixels)
            identity = face_embedding(options.identity, prepared.picture.permute(1, 2, 0), config, _log)
            cues = face_cues(config, face, config.height, config.width, prepared.points)
            cues = cues.to(device, dtype)
            if identity is not None:
                identity = identity.to(device, dtype)
            video = self.conditioner.video(reference, cues.picture, identity, cues.regions, pixels)
            solver = self._solver(options, on_step if progress else None)
            solve, hearing = (watch.solving(solver), watch.hearing()) if watch else (solver, nullcontext())
            with hearing:
                driving = self._driving(audio, frames, options)
            height, width = reference.shape[-2:]
            # of a whole video in main memory, where windows are taken from
            place = torch.device("cpu") if config.quirks.windows else device
            noise = noise_for(config, frames, (height, width), options.seed, place, dtype)
            kept = self._kept(prepared, identity, solver)
            if isinstance(audio, LiveTrack):
                noise, kept = audio.while_sounding(noise), None  # nobody says the same again
            for latents in render_clips(
                self.conditioner,
                video,
                driving,
                frames,
                solve,
                noise,
                self._keep,
                self._finish(prepared, device, dtype),
                kept,
                self._last_latents(options.before, device, dtype),
            ):
                yield latents.to(device)  # windows and clips of the store come from main memory
                done += 1
                if stopped() and not config.quirks.windows:  # whose clips are all done by now
                    return
        except torch.OutOfMemoryError as error:
            raise MemoryError(
                f"not enough memory for {config.clip_frames} frames of {config.width} x {config.height} "
                "pixels; free memory, or use half precision"
            ) from error

    def _driving(self, audio: Audio | LiveTrack, frames: int, options: Options) -> Driving:
        config, earlier = self.config, options.before.frames if options.before else 0
        if isinstance(audio, LiveTrack):
            endless = EndlessCode(config, options.seed, earlier, audio.frames)
            speeds = self._speeds(len(options.speed_curve or (0,)), options)  # the last one is held
            return Driving(audio, speeds, code=endless if config.motion_code else None)
        heard = audio.frame_count(config.fps)
        return Driving(
            audio_track(self.audio_encoder, audio, heard, config),
            self._speeds(frames, options),
            pictures_of(config, frames, options.landmark_pictures),
            motion_code(config, frames, options.seed, earlier),
            first=heard - frames,
            sound=audio.mono,
        )

    def _speeds(self, frames: int, options: Options) -> Tensor | None:
        if options.head_speed is None:
            return None
        curve = options.speed_curve or (options.head_speed,)
        if self.config.backbone.speed_dim is None:
            _log.warning("%s has no speed layers: head speed %g is ignored", self.config.name, curve[0])
        return torch.tensor([*curve[:frames], *curve[-1:] * (frames - len(curve))], dtype=torch.float32)

    def _keep(self, motion: Tensor) -> Tensor:
        """The last latents (M, C, H, W) of a clip as the next one reads them."""
        if not self.config.quirks.motion_pixels:
            return motion
        return self.vae.encode(self.vae.decode(motion).clamp(-1, 1))

    def _last_latents(self, ending: Ending | None, device: torch.device, dtype: torch.dtype) -> Tensor | None:
        """Of the video before, (M, C, H, W). Raises ValueError for weights that cannot go on from one."""
        if ending is None:
            return None
        config, count = self.config, self.config.motion_frames
        if not count or ending.frames < count:
            raise ValueError(
                f"{config.name} goes on from the last {count} frames of a video, this one has {ending.frames}"
                if count
                else f"{config.name} has no motion frames, with which a video could go on"
            )
        pictures = resize(ending.last[-count:].movedim(-1, 1), config.height, config.width)
        return self.vae.encode(pictures.to(device, dtype) * 2 - 1)

    def _finish(
        self, prepared: Prepared, device: torch.device, dtype: torch.dtype
    ) -> Callable[[Tensor, Conditions], Tensor]:
        """What makes the video larger than the model draws, if it is to be."""
        if prepared.picture.shape[-1] == self.config.width:
            return as_solved
        picture = prepared.picture[None].to(device, dtype) * 2 - 1
        return Enlarger(self.model, self.vae.encode, self.vae.decode, picture)

    def _kept(self, prepared: Prepared, identity: Tensor | None, solver: Solver) -> Kept | None:
        if self.store is None or not self.name:
            return None
        who = (prepared.picture, prepared.face, prepared.points, identity)
        how = (solver.name, solver.steps, solver.cfg, solver.guided_steps, solver.seed, solver.deep_cache)
        return Kept(self.store, digest(self.name, who, how))

    def _solver(self, options: Options, on_step: Callable[[Step], None] | None) -> Solver:
        default = self.config.schedule
        steps = default.steps if options.steps is None else options.steps
        warn_if_idle(options.deep_cache, steps, _log)
        return Solver(
            self.model,
            options.solver or default.solver,
            steps,
            default.cfg if options.cfg is None else options.cfg,
            on_step,
            options.seed + 1,  # not the starting noise once more
            options.guided_steps,
            options.deep_cache,
        )

    def animate(
        self,
        portrait: Tensor,
        audio: Audio,
        options: Options | None = None,
        progress: Callable[[Progress], None] | None = None,
        stopped: Callable[[], bool] = lambda: False,
        watch: Stopwatch | None = None,
    ) -> Animation:
        """Portrait (H, W, 3) in 0..1 and audio -> frames and their sound; `watch` is told where time goes.

        Raise `Cancelled` from `progress` to stop within a step; the frames end early, with the clip, once
        `stopped` answers True.
        """
        options, fps = options or Options(), self.config.fps
        first = round(options.start * fps)
        spoken = audio.from_frame(first, fps)
        frames = audio.frame_count(fps) - first
        prepared = Prepared.from_portrait(portrait, options, self.config)
        latents = self.latents(prepared, audio, frames, options, progress, stopped, watch)
        decoded = map(partial(decode_frames, self.decoder), latents)
        return Animation(
            frames=decode_beside(self.decoder, latents) if options.decode_beside else decoded,
            count=frames,
            fps=fps,
            audio=spoken.fit_to_frames(frames, fps),
            prepared=prepared,
        )
