"""Job files: every kind of wrong row is named with its number before anything is rendered."""

import json
import re
from pathlib import Path

import pytest

from emo_modules.jobs.columns import COLUMNS, column_of, read_cell
from emo_modules.jobs.job import Broken, Job, check_rows
from emo_modules.jobs.job_file import Row, read_rows
from emo_modules.model_choice import ModelChoice
from emo_modules.pipeline import Pipeline

from .conftest import BOX, films, job, journal


@pytest.fixture
def check(folder, tiny_checkpoint):
    def run(path: Path) -> tuple[list[Job], list[Broken]]:
        return check_rows(read_rows(path), folder, folder / "out", ModelChoice(tiny_checkpoint))

    return run


WRONG = {
    "a missing picture": (
        {"portrait": "carla.png"},
        "carla.png is not there: a path counts from",
    ),
    "a folder": ({"audio": "."}, "is a folder"),
    "a missing mask": ({"mask": "mask.png"}, "mask.png is not there"),
    "a missing embedding": ({"identity": "x.npy"}, "x.npy is not there"),
    "no audio": ({"audio": None}, "audio is missing"),
    "steps in words": ({"steps": "many"}, "steps is 'many'; expected is a whole number"),
    "no steps": ({"steps": 0}, "denoising needs at least 1 step, got 0"),
    "half a step": ({"steps": 1.5}, "steps is .*1.5.*; expected is a whole number"),
    "guidance without end": ({"cfg": "inf"}, "cfg is 'inf'; expected is a number"),
    "three corners": ({"box": [1, 2, 3]}, "box is .*1.*2.*3.*; expected is a list of 4, each a number"),
    "a box turned around": ({"box": [50, 16, 20, 52]}, "expected are left, top, right and bottom"),
    "an unknown solver": ({"solver": "magic"}, "solver is 'magic'; expected is one of ddim"),
    "steps to be guided backwards": ({"guided_steps": [0.5, 0.2]}, "a share from 0 to 1 and a larger one"),
    "an interval of no DeepCache": ({"deep_cache": 4}, r"second \(2\) or third one \(3\), got 4"),
    "a size that no model has": ({"size": 100}, "tiny renders 64 x 64 pixels; leave the size out"),
    "a negative face": ({"face": -1}, "face is -1; 0 is the largest"),
    "a seed too large": (
        {"seed": 2**64},
        "seed is 18446744073709551616; .* from 0 to 18",
    ),
    "neither yes nor no": (
        {"decode_beside": "perhaps"},
        "decode_beside is 'perhaps'; expected is true or false",
    ),
    "an output of another kind": (
        {"output": "a.avi"},
        "should end in .mp4, .m4v, .mov, .mkv, .webm, .gif or .png",
    ),
    "pictures": ({"output": "a/%05d.png"}, "a job writes one file: end it in .mp4, .webm or .gif"),
    "an output elsewhere": ({"output": "../a.mp4"}, "output is '../a.mp4'; expected is a name below --out"),
    "an absolute output": ({"output": "/a.mp4"}, "expected is a name below --out"),
    "two at once": ({"steps": "x", "face": "y"}, "steps is 'x'; .*; face is 'y'; "),
}


@pytest.mark.parametrize("name", ["jobs.csv", "jobs.jsonl"])
@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_row_is_named_in_either_kind_of_file(check, write_jobs, case, name):
    change, said = WRONG[case]
    jobs, broken = check(write_jobs([job(0), job(1) | change, job(2)], name))
    assert [one.row for one in jobs] == [1, 3]
    (wrong,) = broken
    assert wrong.row == 2
    assert re.search(said, wrong.reason), wrong.reason


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"portrait": "anna.png", "audio": "0.wav"', "is no JSON: "),
        ("[1, 2]", r"is \[1, 2\]; expected is an object, such as"),
        (
            '{"sead": 1}',
            "unknown column 'sead': did you mean seed?",
        ),
        (
            '{"zzz": 1}',
            "unknown column 'zzz': there are portrait, audio",
        ),
        ('{"portrait": 3, "audio": "0.wav"}', "portrait is 3; expected is a file"),
        (
            '{"seed": true}',
            "seed is True; expected is a whole number",
        ),
        ('{"cfg": NaN}', "cfg is nan; expected is a number"),
        ('{"portrait": "a\\u0000b.png", "audio": "0.wav"}', "is not there"),
        ('{"portrait": "\\ud800.png", "audio": "0.wav"}', "is not there"),
    ],
)
def test_a_line_that_is_no_job_is_named(check, folder, line, said):
    (folder / "jobs.jsonl").write_text(json.dumps(job()) + "\n\n" + line + "\n")
    jobs, (wrong,) = check(folder / "jobs.jsonl")
    assert [one.row for one in jobs] == [1]
    assert wrong.row == 2
    assert re.search(said, wrong.reason), wrong.reason


def test_a_row_longer_than_the_heading_is_named(check, folder):
    (folder / "jobs.csv").write_text("portrait,audio\nanna.png,0.wav\nanna.png,0.wav,box,7\n")
    jobs, (wrong,) = check(folder / "jobs.csv")
    assert (len(jobs), wrong.row) == (1, 2)
    assert "has 4 cells, the heading 2: put texts with commas in quotes" in wrong.reason


def test_two_rows_with_one_output_and_an_output_that_is_an_input(check, write_jobs, folder):
    (folder / "out").mkdir()
    (folder / "out" / "voice.mp4").write_bytes((folder / "0.wav").read_bytes())
    rows = [
        job(0, output="a.mp4"), job(1, output="A.mp4"), job(2, output="./a.mp4"),
        job(0, audio="out/voice.mp4"), job(1, output="voice.mp4"),
    ]  # fmt: skip
    jobs, broken = check(write_jobs(rows))
    assert [one.row for one in jobs] == [1, 4]
    assert [(one.row, one.reason) for one in broken] == [
        (2, "row 1 writes A.mp4 too: give it another output"),
        (3, "row 1 writes ./a.mp4 too: give it another output"),
        (5, "row 4 reads voice.mp4, which would be overwritten: rename it"),
    ]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("jobs.txt", b"", r"should be a \.csv or \.jsonl with one job in each row"),
        ("jobs.csv", b"", "holds no job"),
        ("jobs.csv", b"portrait,audio\n\n,\n", "holds no job"),
        ("jobs.jsonl", b"\n", "holds no job"),
        (
            "jobs.csv",
            "portrait,audio\n\xe4nna.png,0.wav\n".encode("latin1"),
            "is not in UTF-8: save it as CSV UTF-8",
        ),
        ("jobs.csv", b"potrait,audio\n", "heading: unknown column 'potrait': did you mean portrait?"),
        ("jobs.csv", b"portrait,sound\n", "heading: unknown column 'sound': "),
        ("jobs.csv", b"audio,seed\n", "heading: there is no column portrait"),
        ("jobs.csv", b"portrait,audio,cfg,--CFG\n", "heading: the column cfg is there twice"),
    ],
)
def test_a_file_that_is_none_of_jobs_is_refused(folder, name, content, said):
    (folder / name).write_bytes(content)
    with pytest.raises(ValueError, match=said):
        read_rows(folder / name)


def test_a_missing_file_is_said(render, folder):
    status, _, errors = render(folder / "nobody.csv")
    assert (status, "nobody.csv" in errors) == (1, True)


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_spreadsheets_of_any_country_are_read(folder, separator):
    lines = ["\ufeffPortrait,Audio,Head-Speed,guided_steps", 'anna.png,0.wav,4,"0 1"']
    text = "\r\n".join(line.replace(",", separator) for line in lines)
    (folder / "jobs.csv").write_text(text, encoding="utf-8")
    (row,) = read_rows(folder / "jobs.csv")
    assert row == Row(1, {"portrait": "anna.png", "audio": "0.wav", "head_speed": "4", "guided_steps": "0 1"})


def test_quoted_cells_may_have_commas_and_lines(folder):
    (folder / "jobs.csv").write_text('portrait,audio,output\n"a, b.png","c\nd.wav",x.mp4\n')
    (row,) = read_rows(folder / "jobs.csv")
    assert (row.cells["portrait"], row.cells["audio"]) == ("a, b.png", "c\nd.wav")


@pytest.mark.parametrize("column", COLUMNS)
def test_a_column_has_its_options_name_or_its_fields(column):
    assert column_of(column) == column_of(f"--{column.replace('_', '-')}") == column


@pytest.mark.parametrize(
    ("column", "text", "value"),
    [
        ("seed", "7", 7), ("cfg", "2", 2), ("head_speed", "1e1", 10), ("decode_beside", "TRUE", True),
        ("solver", "ddim", "ddim"), ("guided_steps", "0, 0.5", [0, 0.5]), ("box", "1 2 3 4", [1, 2, 3, 4]),
        ("portrait", "a.png", "a.png"), ("output", "a.mp4", "a.mp4"), ("seed", " ", None), ("mask", "", None),
    ],
)  # fmt: skip
def test_csvs_texts_and_jsons_values_are_one(column, text, value):
    assert read_cell(column, text) == read_cell(column, value)
    assert type(read_cell(column, text)) is type(read_cell(column, value))


def test_every_wrong_row_is_listed_and_none_is_rendered(render, write_jobs, folder, monkeypatch):
    monkeypatch.setattr(Pipeline, "load", None)
    status, _, errors = render(write_jobs([job(0), job(1, steps=0), job(2), job(0, portrait="nobody.png")]))
    assert status == 1
    first, *others = errors.strip().splitlines()
    assert first.startswith("error: 2 of 4 rows of ")
    assert "--skip-broken" in first
    assert [line.partition(":")[0] for line in others] == ["row 2", "row 4"]
    assert not (folder / "out").exists()


def test_broken_rows_can_be_left_out_and_are_in_the_report(render, write_jobs, folder):
    bad = [job(0) | WRONG[case][0] for case in list(WRONG)[:10]]
    rows = [row for pair in zip([job(k) for k in range(3)], bad, strict=False) for row in pair] + bad[3:]
    status, said, errors = render(write_jobs(rows), "--skip-broken")
    assert status == 1
    assert list(films(folder / "out")) == ["0001-anna-0.mp4", "0003-anna-1.mp4", "0005-anna-2.mp4"]
    assert "13 jobs: 3 films rendered, 0 there before, 10 failed, 0 left" in said
    assert "error: 10 of 13 jobs failed" in errors
    failed = [entry for entry in journal(folder / "out") if entry["failure"]]
    assert [entry["row"] for entry in failed] == [2, 4, *range(6, 14)]
    report = (folder / "out" / "report.md").read_text()
    assert all(f"| {entry['row']} |  | {entry['failure']} |" in report for entry in failed)


def test_paths_count_from_the_job_file(check, write_jobs, folder, monkeypatch, tmp_path_factory):
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    ((found,), _) = check(write_jobs([job(1, portrait="./ben.png")]))
    assert (found.portrait, found.audio) == (folder / "ben.png", folder / "1.wav")
    assert found.output == folder / "out" / "0001-ben-1.mp4"
    assert found.face.box == tuple(map(float, BOX))
