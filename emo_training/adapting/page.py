"""What came out of an adaptation, on one page beside the LoRA."""

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

from ..evaluation.measure import MeasuredPair
from ..evaluation.page import document, number, settings_rows, video_card


class Row(NamedTuple):
    """One figure; None where it could not be measured."""

    name: str
    before: float | None
    after: float | None
    true: float | None


def rows_of(before: MeasuredPair, after: MeasuredPair) -> list[Row]:
    old, new, true = before.generated, after.generated, before.true
    return [
        Row("Lips: r of their opening with the true film's", old.lips, new.lips, 1.0),
        Row("Mouth: r of its width with the true film's", old.width, new.width, 1.0),
        Row(
            "Likeness: cosine with the true film's first face",
            old.mean_identity,
            new.mean_identity,
            true.mean_identity,
        ),
        Row("Head speed, degrees per second", old.mean_speed, new.mean_speed, true.mean_speed),
        Row("Blinks a minute", old.blinks, new.blinks, true.blinks),
    ]


def lost(rows: Sequence[Row]) -> list[str]:
    """What became worse and should not have: lips and likeness."""
    judged = [row for row in rows[:3] if row.before is not None and row.after is not None]
    return [
        f"Worse than before: {row.name.lower()}, {number(row.after)} instead of {number(row.before)}."
        for row in judged
        if row.after < row.before  # type: ignore[operator]  # neither is None
    ]


def page(
    lora: Path, folder: str, rows: Sequence[Row], notes: Sequence[str], settings: Mapping[str, Any]
) -> str:
    """HTML; `folder` of the films is relative to the page."""
    head = "".join(f'<th class="number">{name}</th>' for name in ("Before", "After", "True film"))
    said = "".join(f"<li>{escape(note)}</li>" for note in notes)
    return document(
        f"Adapted: {lora.stem}",
        f"""<h1>{escape(lora.stem)}</h1>
<p class="quiet">A LoRA of one person. Load {escape(lora.name)} with EMO Load LoRA, or with
animate --lora {escape(lora.name)}.</p>
<h2>A sentence that was held back</h2>
<p class="quiet">Left the true film, right what is made of its first frame and its sound.</p>
<div class="grid">{"".join(video_card(folder, name) for name in ("before", "after"))}</div>
<h2>Figures of that sentence</h2>
<div class="card scroll"><table><thead><tr><th>Figure</th>{head}</tr></thead>
<tbody>{"".join(map(_row, rows))}</tbody></table></div>
<h2>To be known</h2>
<div class="card"><ul>{said}</ul></div>
<h2>Settings</h2>
<div class="card"><dl>{settings_rows(dict(settings))}</dl></div>""",
    )


def _row(row: Row) -> str:
    cells = (("", row.before), (" value", row.after), (" true", row.true))
    shown = "".join(f'<td class="number{kind}">{number(value)}</td>' for kind, value in cells)
    return f'<tr><td class="metric">{escape(row.name)}</td>{shown}</tr>'
