"""Jobs: rows that can be rendered as far as can be told without rendering them."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from typing import Any

from .. import __version__
from ..checkpoints.store import read_checkpoint
from ..config import EMOConfig
from ..film import FaceOptions
from ..media.formats import Format, check_film, format_of
from ..model_choice import ModelChoice
from ..models.deep_cache import check_deep_cache
from ..options import Options
from ..sampling.enlarge import video_sides
from ..sampling.solver import check_steps
from ..writing.digest import digest, file_digest
from .columns import FACE, REQUIRED, SETTINGS, read_cell
from .job_file import Row

READ = ("portrait", "audio", "mask", "identity", "after")
OF_THE_MODEL = ("size", "deep_cache")  # what only some models have
LARGEST_SEED = 2**64 - 2  # the one after it is drawn from too
STEM = 40  # characters of a name that a default output takes: any system can hold two of them


@dataclass(frozen=True)
class Job:
    """One film. Paths are absolute, for processes elsewhere."""

    row: int
    portrait: Path
    audio: Path
    output: Path
    name: str  # of the output, below the folder of all
    face: FaceOptions
    settings: Mapping[str, Any]  # of `Options`
    digest: str = ""  # of all that decides the film

    def options(self) -> Options:
        """Raises as `FaceOptions.options`."""
        return self.face.options(self.settings)

    @property
    def inputs(self) -> list[Path]:
        face = self.face
        return [p for p in (self.portrait, self.audio, face.mask, face.identity, face.after) if p]

    @property
    def format(self) -> Format:
        """Raises ValueError for a name that means none."""
        return format_of(self.output)


@dataclass(frozen=True)
class Broken:
    """A row that is no job, and why, in sentences."""

    row: int
    reason: str


def check_rows(
    rows: Sequence[Row], folder: Path, out: Path, model: ModelChoice
) -> tuple[list[Job], list[Broken]]:
    """The jobs of a file in `folder`, whose films go below `out`, and the rows that are none.

    Raises as `read_checkpoint` where a row asks for what only some models have.
    """
    jobs, broken = [], []
    asked = any(row.cells.get(column) for row in rows for column in OF_THE_MODEL)
    config = read_checkpoint(model.checkpoint).config if asked else None
    for row in rows:
        values, problems = _values(row, folder)
        job = None if problems else _job(row.number, values, out)
        problems += _problems_of(job, config) if job else []
        if job and not problems:
            jobs.append(job)
        else:
            broken.append(Broken(row.number, "; ".join(problems)))
    jobs, more = _apart(jobs)
    weights = model.files_digest()
    digested = [replace(job, digest=_digest(job, model, weights)) for job in jobs]
    return digested, sorted(broken + more, key=lambda one: one.row)


def _values(row: Row, folder: Path) -> tuple[dict[str, Any], list[str]]:
    """What the cells say, without those that say nothing, and what is wrong with them."""
    values: dict[str, Any] = {}
    problems = list(row.problems)
    for column, cell in row.cells.items():
        try:
            values[column] = read_cell(column, cell)
        except ValueError as error:
            problems.append(str(error))
    values = {column: value for column, value in values.items() if value is not None}
    if not problems:
        problems = [f"{name} is missing" for name in REQUIRED if name not in values]
    read = {column: Path(os.path.abspath(folder / values[column])) for column in READ if column in values}
    return values | read, problems


def _job(number: int, values: Mapping[str, Any], out: Path) -> Job:
    portrait, audio = values["portrait"], values["audio"]
    name = values.get("output", f"{number:04}-{portrait.stem[:STEM]}-{audio.stem[:STEM]}.mp4")
    face, settings = ({name: values[name] for name in kinds if name in values} for kinds in (FACE, SETTINGS))
    output = Path(os.path.abspath(out / name))
    return Job(number, portrait, audio, output, name, FaceOptions(**face), settings)


def _problems_of(job: Job, config: EMOConfig | None) -> list[str]:
    return [*_missing_files(job), *_wrong_output(job), *_wrong_options(job, config)]


def _missing_files(job: Job) -> Iterator[str]:
    for path in job.inputs:
        if not os.path.isfile(path):
            what = "is a folder" if os.path.isdir(path) else "is not there"
            yield f"{path} {what}: a path counts from the folder of the job file"


def _wrong_output(job: Job) -> Iterator[str]:
    if PurePath(job.name).is_absolute() or ".." in PurePath(job.name).parts:
        yield f"output is {job.name!r}; expected is a name below --out"
        return
    try:
        if job.format.numbered:
            raise ValueError(f"output is {job.name!r}; a job writes one file: end it in .mp4, .webm or .gif")
        check_film(job.output, job.format)
    except (OSError, ValueError) as error:
        yield str(error)


def _wrong_options(job: Job, config: EMOConfig | None) -> Iterator[str]:
    asked = Options(**job.settings)
    try:
        check_steps(1 if asked.steps is None else asked.steps, asked.guided_steps)
        check_deep_cache(asked.deep_cache, config)
        if config:
            video_sides(config, asked.size)
    except ValueError as error:
        yield str(error)
    if not 0 <= asked.seed <= LARGEST_SEED:
        yield f"seed is {asked.seed}; expected is a whole number from 0 to {LARGEST_SEED}"
    if job.face.face < 0:
        yield f"face is {job.face.face}; 0 is the largest, 1 the next"
    if job.face.box and not (job.face.box[0] < job.face.box[2] and job.face.box[1] < job.face.box[3]):
        yield f"box is {job.face.box}; expected are left, top, right and bottom"


def _apart(jobs: Sequence[Job]) -> tuple[list[Job], list[Broken]]:
    """Jobs that write no file of another's, and the rest."""
    owner: dict[str, int] = {}
    read = {os.path.realpath(path): job.row for job in jobs for path in job.inputs}
    good, broken = [], []
    for job in jobs:
        place = os.path.realpath(job.output)
        # systems that take capital letters for small ones see one file
        first = owner.setdefault(place.casefold(), job.row)
        if first != job.row:
            broken.append(Broken(job.row, f"row {first} writes {job.name} too: give it another output"))
        elif place in read:
            broken.append(
                Broken(job.row, f"row {read[place]} reads {job.name}, which would be overwritten: rename it")
            )
        else:
            good.append(job)
    return good, broken


def _digest(job: Job, model: ModelChoice, weights: str) -> str:
    """Not of the device, nor of where the film goes."""
    how, inputs = (model.dtype, model.compile), file_digest(*job.inputs)
    return digest(__version__, weights, how, job.settings, job.face, inputs)
