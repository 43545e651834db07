"""The report as one HTML page that needs nothing but the videos beside it."""

from collections.abc import Sequence
from html import escape
from typing import Any
from urllib.parse import quote

from ..perception.rates import FPS
from .caveats import caveats
from .figures import HIGHER, LOWER, Figure
from .intervals import Interval
from .measure import MeasuredPair, MeasuredVideo

ARROWS = {LOWER: "↓", HIGHER: "↑"}
STYLE = """
:root { color-scheme: light dark; --ink: #1d2430; --quiet: #667085; --line: #e3e7ee; --paper: #f6f7f9;
  --card: #fff; --blue: #2f6fd6; --orange: #c56f14; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e8ef; --quiet: #98a2b3; --line: #2b3342;
  --paper: #12161d; --card: #1a2029; --blue: #7aaaf5; --orange: #eda557; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
main { max-width: 1120px; margin: 0 auto; padding: 40px 24px 80px; }
h1 { font-size: 26px; margin: 0 0 4px; letter-spacing: -.01em; }
h2 { font-size: 17px; margin: 44px 0 12px; }
p { margin: 0 0 8px; } .quiet { color: var(--quiet); }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 12px; overflow: hidden; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: 9px 14px; border-top: 1px solid var(--line); vertical-align: top; }
thead th { border-top: 0; font-weight: 600; font-size: 12.5px; color: var(--quiet); white-space: nowrap; }
td.number, th.number { text-align: right; white-space: nowrap; }
td.value { font-weight: 600; color: var(--blue); } td.true { color: var(--orange); }
td.better { white-space: nowrap; } td span.note { font-weight: 400; }
td small, .note { color: var(--quiet); font-size: 12.5px; }
td small { display: block; } td small.true { color: var(--orange); }
td.metric { min-width: 230px; } td.over { min-width: 130px; }
tr.skipped td { color: var(--quiet); }
.grid { display: grid; gap: 16px; grid-template-columns: repeat(auto-fill, minmax(min(100%, 480px), 1fr)); }
.videos { grid-template-columns: repeat(auto-fill, minmax(min(100%, 340px), 1fr)); }
figure { margin: 0; padding: 14px 16px; } figure svg { width: 100%; height: auto; display: block; }
figcaption { font-weight: 600; font-size: 13.5px; margin-bottom: 8px; }
.videos figure { padding: 0; } .videos figcaption { margin: 0; padding: 10px 14px 12px; }
video { width: 100%; display: block; background: #000; }
ul { margin: 0; padding: 14px 16px 14px 34px; } li { margin: 0 0 6px; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 6px 20px; margin: 0; padding: 14px 16px; }
dt { color: var(--quiet); } dd { margin: 0; overflow-wrap: anywhere; }
"""


def page(
    settings: dict[str, Any],
    figures: Sequence[Figure],
    pairs: Sequence[MeasuredPair],
    plots: dict[str, str],
    videos: Sequence[str],
) -> str:
    """HTML of a report; plots by title as SVG, names of the pairs in videos/."""
    frames = sum(pair.generated.frames for pair in pairs)
    flattering = caveats(figures, pairs, generated_here="checkpoint" in settings)
    return document(
        "EMO evaluation",
        f"""<h1>Generated against true videos</h1>
<p class="quiet">{len(pairs)} clips, {frames} generated frames ({frames / FPS:.0f} s). Values of the true
videos in orange: what a perfect model would reach on this footage with these networks. Below each
value stands its 95 % interval. Both films are looked at as {escape(settings["looked at"])}; faces are
found by {escape(settings["weights"]["analyzer"])}.</p>
<h2>Metrics</h2>
<div class="card scroll">{_metrics(figures)}</div>
<h2>What flatters</h2>
<div class="card"><ul>{"".join(f"<li>{escape(text)}</li>" for text in flattering)}</ul></div>
<h2>Plots</h2>
<div class="grid">{"".join(_plot(title, svg) for title, svg in plots.items())}</div>
<h2>Side by side</h2>
<p class="quiet">Left the true video, right the generated one.</p>
<div class="grid videos">{"".join(video_card("videos", name) for name in videos)}</div>
<h2>Clips</h2>
<div class="card scroll">{_pairs(pairs)}</div>
<h2>Settings</h2>
<div class="card"><dl>{settings_rows(settings)}</dl></div>""",
    )


def document(title: str, body: str) -> str:
    """A whole page around what is on it."""
    return f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
<style>{STYLE}</style>
<main>
{body}
</main>
</html>
"""


def _metrics(figures: Sequence[Figure]) -> str:
    head = ("Metric", "Generated", "True", "Wrong sound", "Better", "Measured over", "Weights")
    numbers = {"Generated", "True", "Wrong sound"}
    cells = "".join(f"<th{_class('number' * (name in numbers))}>{name}</th>" for name in head)
    return f"<table><thead><tr>{cells}</tr></thead><tbody>{''.join(map(_metric, figures))}</tbody></table>"


def _metric(figure: Figure) -> str:
    note = f"<small>{escape(figure.note)}</small>" if figure.note else ""
    unit = f' <span class="note">{escape(figure.unit)}</span>' if figure.unit else ""
    better = f"{ARROWS.get(figure.better, '')} {figure.better}".strip()
    file, _, checksum = figure.weights.partition(" (")
    weights = escape(file) + (f"<small>{escape(checksum.rstrip(')'))}</small>" if checksum else "")
    made = number(figure.value) + (unit if figure.value is not None else "") + _range(figure.interval)
    return (
        f"<tr{_class('skipped' * (figure.value is None))}>"
        f'<td class="metric">{escape(figure.metric)}{note}</td>'
        f'<td class="number value">{made}</td>'
        f'<td class="number true">{number(figure.true, "")}{_range(figure.true_interval)}</td>'
        f'<td class="number">{number(figure.control, "")}{_range(figure.control_interval)}</td>'
        f'<td class="better">{better}</td><td class="over">{escape(figure.over)}</td><td>{weights}</td></tr>'
    )


def _range(interval: Interval | None) -> str:
    return f"<small>{number(interval[0])} to {number(interval[1])}</small>" if interval else ""


def _class(name: str) -> str:
    return f' class="{name}"' if name else ""


def number(value: float | None, missing: str = "–") -> str:
    """Three significant figures; below 0.0001 as a power of ten."""
    if value is None:
        return missing
    if value == 0:
        return "0"
    rounded = f"{value:.2e}"
    power = int(rounded.partition("e")[2])
    return rounded if power < -4 else f"{float(rounded):.{max(0, 2 - power)}f}"


def _plot(title: str, svg: str) -> str:
    return f'<figure class="card"><figcaption>{escape(title)}</figcaption>{svg}</figure>'


def video_card(folder: str, name: str) -> str:
    """NAME.mp4 of a folder beside the page, with NAME.jpg before it plays."""
    source = escape(f"{quote(folder)}/{quote(name)}")
    return (
        f'<figure class="card"><video controls preload="metadata" poster="{source}.jpg" src="{source}.mp4">'
        f"</video><figcaption>{escape(name)}</figcaption></figure>"
    )


def _pairs(pairs: Sequence[MeasuredPair]) -> str:
    head = ("Clip", "Frames", "LSE-C", "LSE-D", "Offset", "CSIM", "Head speed, °/s", "Notes")
    cells = "".join(f"<th{_class('number' * (name not in ('Clip', 'Notes')))}>{name}</th>" for name in head)
    rows = "".join(map(_pair, pairs))
    return f"<table><thead><tr>{cells}</tr></thead><tbody>{rows}</tbody></table>"


def _pair(pair: MeasuredPair) -> str:
    values = zip(_values(pair.generated), _values(pair.true), strict=True)
    cells = "".join(
        f'<td class="number">{made}<small class="true">{true}</small></td>' for made, true in values
    )
    notes = "<br>".join(map(escape, pair.problems))
    name = f'{escape(pair.name)}<small class="true">true</small>'
    return f'<tr><td>{name}</td>{cells}<td class="note">{notes}</td></tr>'


def _values(video: MeasuredVideo) -> list[str]:
    sync = video.sync
    return [
        str(video.frames),
        number(video.confidence),
        number(video.distance),
        str(sync.offset) if sync else "–",
        number(video.mean_identity),
        number(video.mean_speed),
    ]


def settings_rows(settings: dict[str, Any]) -> str:
    """Of a <dl>."""
    rows = []
    for name, value in settings.items():
        shown = value.items() if isinstance(value, dict) else [("", value)]
        text = "<br>".join(escape(f"{key}: {item}" if key else str(item)) for key, item in shown)
        rows.append(f"<dt>{escape(name)}</dt><dd>{text}</dd>")
    return "".join(rows)
