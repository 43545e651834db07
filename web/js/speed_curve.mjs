// The head speed curve over the sound, on EMOHeadSpeed.
import { api } from "../../../scripts/api.js";
import { MAX_POINTS, MAX_SECONDS, MAX_SPEED, PRESETS } from "./curve.mjs";
import { axisLength, formatCurve, parseCurve, peaksOf, speedAt, tickStep } from "./curve.mjs";
import { addPanel, commit, getValue, growNode, html, ownsPointer, setValue, svg } from "./dom.mjs";
import { isLinked, sourceOf, sourcePath } from "./upstream.mjs";
import { t } from "./words.mjs";

const PEAKS = 600;
const DECODE_RATE = 8000; // enough for a drawing, and an hour of sound still fits in memory
const PAD = { left: 6, right: 8, top: 6, bottom: 16 };
const REACH = 9; // pixels around a point that take it
const STEPS = { ArrowLeft: [-0.1, 0], ArrowRight: [0.1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
const DOUBLE_MS = 400;
const SHOWN_ERRORS = 3;
const MOST_HANDLES = 200; // more could not be told apart, and each is an element that the keyboard reaches
const LABEL = { width: 56, height: 10, clear: 4 }; // pixels that "normal 12" takes, and what it keeps from the curve
const FORM =
  "Points are seconds:degrees, such as 0:4, 2.5:20, with 0 to {speed} degrees per second and up to {hours} hours";

const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
const short = (seconds) => String(Number(seconds.toFixed(2)));
const describe = ([time, speed]) => `${time.toFixed(2)} s, ${speed.toFixed(1)}°/s`;

export class SpeedCurve {
  sound = null; // {peaks, duration}
  state = "";
  points = [];
  errors = [];
  tooMany = 0;
  drag = null;
  lastPress = null; // {at, x, y, removable}; removable: on a point that was there

  constructor(node) {
    this.node = node;
    const plot = { class: "emo-overlay", role: "group", "aria-label": t("Head speed over time") };
    this.plot = ownsPointer(svg("svg", plot));
    this.stage = html("div", { class: "emo-stage" }, this.plot);
    this.note = html("span", { class: "emo-note", role: "status" });
    addPanel(node, "emo_speed", html("div", {}, this.stage, html("div", { class: "emo-bar" }, this.note)), () => 170);
    growNode(node, 340);
    this.listen();
    new ResizeObserver(() => this.draw()).observe(this.stage);
  }

  listen() {
    this.plot.addEventListener("pointerdown", (event) => this.press(event));
    this.plot.addEventListener("pointermove", (event) => this.move(event));
    for (const type of ["pointerup", "pointercancel"]) this.plot.addEventListener(type, () => this.release());
    this.plot.addEventListener("contextmenu", (event) => this.menu(event));
    this.plot.addEventListener("keydown", (event) => this.key(event));
  }

  tick() {
    const values = ["mode", "speed", "curve"].map((name) => getValue(this.node, name));
    const source = sourceOf(this.node, "audio");
    const linked = ["mode", "curve"].some((name) => isLinked(this.node, name));
    const state = JSON.stringify([values, source, linked]);
    if (state === this.state) return;
    this.state = state;
    const [mode, speed, curve] = values;
    Object.assign(this, { mode, speed, linked }, parseCurve(curve));
    this.setSource(source);
    this.draw();
  }

  setSource(source) {
    const path = sourcePath(source);
    const key = JSON.stringify(source);
    if (key === this.sourceKey) return;
    this.sourceKey = key;
    this.sound = null;
    if (path) this.load(path, key);
  }

  async load(path, key) {
    const response = await api.fetchApi(path);
    if (!response.ok) return;
    const bytes = await response.arrayBuffer();
    const decoder = new OfflineAudioContext(1, 1, DECODE_RATE);
    const sound = await decoder.decodeAudioData(bytes).catch(() => null); // an unknown codec: drawn after a run
    if (key !== this.sourceKey || !sound) return;
    const channels = Array.from({ length: sound.numberOfChannels }, (_, i) => sound.getChannelData(i));
    this.sound = { peaks: peaksOf(channels, PEAKS), duration: sound.duration };
    this.draw();
  }

  executed(output) {
    if (!output?.emo_duration?.length) return;
    this.sound = { peaks: output.emo_waveform ?? [], duration: output.emo_duration[0] };
    this.draw();
  }

  get flat() {
    return this.mode === "constant" ? Number(this.speed) : PRESETS[this.mode];
  }

  // Plot coordinates. While a point is dragged the axis stays as it was.
  get length() {
    return this.drag?.length ?? axisLength(this.sound?.duration, this.points);
  }
  x(time) {
    return PAD.left + (time / this.length) * (this.width - PAD.left - PAD.right);
  }
  time(x) {
    return ((x - PAD.left) / (this.width - PAD.left - PAD.right)) * this.length;
  }
  y(speed) {
    return this.height - PAD.bottom - (speed / MAX_SPEED) * (this.height - PAD.top - PAD.bottom);
  }

  /** Seconds and degrees per second under the pointer, and the place in the plot. */
  place(event) {
    const rect = this.plot.getBoundingClientRect();
    const px = ((event.clientX - rect.left) * this.width) / rect.width;
    const py = ((event.clientY - rect.top) * this.height) / rect.height;
    const time = this.time(px);
    const speed = ((this.height - PAD.bottom - py) / (this.height - PAD.top - PAD.bottom)) * MAX_SPEED;
    return { px, py, time: clamp(time, 0, this.length), speed: clamp(speed, 0, MAX_SPEED) };
  }

  /** Whether the drawing cannot be edited here: it comes from a link, or has more points than can be told apart. */
  get locked() {
    return this.linked || this.tooMany > 0 || this.points.length > MOST_HANDLES;
  }

  near(event) {
    if (this.locked) return -1;
    const { px, py } = this.place(event);
    return this.points.findIndex(([time, speed]) => Math.hypot(this.x(time) - px, this.y(speed) - py) < REACH);
  }

  press(event) {
    if (event.button !== 0 || this.locked) return;
    const { time, speed } = this.place(event);
    const length = this.length;
    let index = this.near(event);
    if (index >= 0 && this.isSecond(event)) return this.remove(index);
    this.lastPress = { at: event.timeStamp, x: event.clientX, y: event.clientY, removable: index >= 0 };
    if (index < 0) {
      this.write([...this.points, [time, speed]]);
      index = this.points.findIndex((point) => point[0] >= Number(time.toFixed(2)));
    }
    this.drag = { index, length };
    this.plot.setPointerCapture(event.pointerId);
  }

  /** The second press of a double click on a point. The drawing changes between the two, so browsers send no
   *  "dblclick"; a point that the first press made stays. */
  isSecond(event) {
    const last = this.lastPress;
    if (!last?.removable || event.timeStamp - last.at > DOUBLE_MS) return false;
    return Math.hypot(event.clientX - last.x, event.clientY - last.y) < REACH;
  }

  move(event) {
    const { time, speed } = this.place(event);
    if (this.drag) this.shift(this.drag.index, time, speed);
    const index = this.drag?.index ?? this.near(event);
    this.plot.style.cursor = index < 0 ? "crosshair" : "grab";
    this.note.textContent = describe(this.points[index] ?? [time, speed]);
  }

  /** Moves a point, never past its neighbours. */
  shift(index, time, speed) {
    const before = index > 0 ? this.points[index - 1][0] + 0.01 : 0;
    const after = index < this.points.length - 1 ? this.points[index + 1][0] - 0.01 : MAX_SECONDS;
    this.write(this.points.with(index, [clamp(time, before, Math.max(before, after)), clamp(speed, 0, MAX_SPEED)]));
  }

  release() {
    if (!this.drag) return;
    this.drag = null;
    this.draw();
    commit();
  }

  remove(index) {
    if (index < 0 || this.locked) return;
    this.write(this.points.toSpliced(index, 1));
    commit();
  }

  menu(event) {
    const index = this.near(event);
    if (index < 0) return;
    event.preventDefault();
    event.stopPropagation();
    this.remove(index);
  }

  key(event) {
    const index = Number(event.target.dataset.index ?? -1);
    const step = STEPS[event.key];
    const removes = event.key === "Delete" || event.key === "Backspace";
    if (index < 0 || this.linked || !(step || removes)) return;
    event.preventDefault();
    event.stopPropagation();
    const [time, speed] = this.points[index];
    if (removes) return this.remove(index);
    this.shift(index, time + step[0], speed + step[1]);
    commit();
  }

  write(points) {
    const text = formatCurve(points.toSorted((a, b) => a[0] - b[0]));
    setValue(this.node, "curve", text);
    setValue(this.node, "mode", "curve");
    Object.assign(this, { mode: "curve" }, parseCurve(text));
    this.draw();
  }

  draw() {
    const focused = this.plot.contains(document.activeElement) && document.activeElement.dataset.index;
    [this.width, this.height] = [this.stage.clientWidth, this.stage.clientHeight];
    if (!this.width || !this.mode) return;
    this.plot.setAttribute("viewBox", `0 0 ${this.width} ${this.height}`);
    const parts = [this.waves(), this.grid(), this.line(), this.labels(), this.handles()];
    this.plot.replaceChildren(...parts.flat());
    if (focused) this.plot.querySelector(`[data-index="${focused}"]`)?.focus();
    const wrong = this.errors.length > 0 || this.tooMany > 0;
    this.stage.classList.toggle("emo-error", wrong);
    const form = t(FORM, { speed: MAX_SPEED, hours: MAX_SECONDS / 3600 });
    this.stage.title = wrong ? `${this.noteText()}. ${form}` : "";
    this.note.textContent = this.noteText();
  }

  noteText() {
    const { drag, points } = this;
    if (drag) return describe(points[drag.index]);
    if (this.tooMany) return t("{count} points, at most {most} are read", { count: this.tooMany, most: MAX_POINTS });
    const parts = this.errors.slice(0, SHOWN_ERRORS).join(", ");
    if (parts) return t("Not understood: {parts}", { parts });
    if (this.linked) return t("The curve comes from a link");
    if (this.mode !== "curve") return t("{speed} °/s; click to draw a curve", { speed: this.flat ?? "?" });
    if (this.locked) return t("{count} points: edit them as text", { count: points.length });
    if (!points.length) return t("No points yet: click adds one");
    const after = points.at(-1)[0] > this.ending;
    if (after) return t("The sound ends at {time} s: what comes after is not used", { time: short(this.ending) });
    return t("Click adds, drag moves, double click removes");
  }

  /** Seconds of the sound; Infinity while they are not known. */
  get ending() {
    return this.sound?.duration ?? Infinity;
  }

  waves() {
    if (!this.sound?.peaks.length) return [];
    const { peaks, duration } = this.sound;
    const middle = (this.y(0) + this.y(MAX_SPEED)) / 2;
    const half = (this.y(0) - this.y(MAX_SPEED)) / 2 / Math.max(0.05, ...peaks); // the loudest part fills the height
    const time = (i) => ((i + 0.5) / peaks.length) * duration;
    const at = (i, y) => `${this.x(time(i)).toFixed(1)} ${y.toFixed(1)}`;
    const upper = peaks.map((peak, i) => at(i, middle - half * peak));
    const lower = peaks.map((peak, i) => at(i, middle + half * peak)).reverse();
    return [svg("path", { class: "emo-wave", d: `M${[...upper, ...lower].join("L")}Z` })];
  }

  grid() {
    const across = (speed) => `M${PAD.left} ${this.y(speed)}H${this.width - PAD.right}`;
    const levels = Object.values(PRESETS).map((speed) => svg("path", { class: "emo-level", d: across(speed) }));
    const ticks = this.ticks().map((time) => svg("path", { class: "emo-axis", d: `M${this.x(time)} ${this.y(0)}v3` }));
    return [...this.beyond(), svg("path", { class: "emo-axis", d: across(0) }), ...levels, ...ticks];
  }

  /** Marks where the sound is over and the curve goes on. */
  beyond() {
    if (this.ending >= this.length) return [];
    const [x, y] = [this.x(this.ending), this.y(MAX_SPEED)];
    const [width, height] = [this.x(this.length) - x, this.y(0) - y];
    const area = svg("rect", { class: "emo-beyond", x, y, width, height });
    return [area, svg("path", { class: "emo-end", d: `M${x} ${y}v${height}` })];
  }

  labels() {
    const label = (text, x, y, anchor) => svg("text", { class: "emo-label", x, y, "text-anchor": anchor }, text);
    const levels = Object.entries(PRESETS).map(([name, speed]) => {
      const text = `${t(name)} ${speed}`;
      return label(text, this.labelRight(this.y(speed) - 2), this.y(speed) - 2, "end");
    });
    const times = this.ticks().map((time) => {
      const text = `${Number(time.toFixed(1))}${time ? "" : " s"}`;
      return label(text, this.x(time), this.height - 3, time ? "middle" : "start");
    });
    return [label(`${MAX_SPEED} °/s`, PAD.left, PAD.top + 8, "start"), ...levels, ...times];
  }

  /** The right edge of a label whose text stands on height `y`: the rightmost place that the curve leaves free. */
  labelRight(y) {
    const places = [this.width - PAD.right, this.width / 2 + LABEL.width / 2, PAD.left + LABEL.width];
    const points = this.shownPoints();
    if (!points.length) return places[0];
    const crosses = (right) => [0, 0.25, 0.5, 0.75, 1].some((part) => {
      const curve = this.y(speedAt(points, this.time(right - part * LABEL.width)));
      return curve > y - LABEL.height - LABEL.clear && curve < y + LABEL.clear;
    });
    return places.find((right) => !crosses(right)) ?? places[0];
  }

  ticks() {
    const step = tickStep(this.length, Math.max(2, this.width / 50));
    return Array.from({ length: Math.floor(this.length / step + 1e-6) + 1 }, (_, i) => i * step);
  }

  /** What is drawn solid: the curve, or the level that the mode stands for. */
  shownPoints() {
    if (this.mode === "curve") return this.points;
    return this.flat >= 0 ? [[0, Math.min(this.flat, MAX_SPEED)]] : [];
  }

  line() {
    const path = (points, look) => {
      if (!points.length) return [];
      const ends = [[0, points[0][1]], ...points, [this.length, points.at(-1)[1]]];
      const d = `M${ends.map(([time, speed]) => `${this.x(time)} ${this.y(speed)}`).join("L")}`;
      return [svg("path", { class: look, d })];
    };
    const faint = this.mode === "curve" ? [] : path(this.points, "emo-curve emo-faint");
    return [...faint, ...path(this.shownPoints(), "emo-curve")];
  }

  handles() {
    if (this.mode !== "curve" || this.points.length > MOST_HANDLES) return [];
    const count = this.points.length;
    const label = (index) =>
      t("Point {index} of {count}; arrow keys move it, Delete removes it", { index: index + 1, count });
    return this.points.map(([time, speed], index) => svg("circle", {
      class: "emo-point", cx: this.x(time), cy: this.y(speed), r: 4.5, tabindex: 0, role: "slider", "data-index": index,
      "aria-label": label(index),
      "aria-valuemin": 0, "aria-valuemax": MAX_SPEED, "aria-valuenow": speed, "aria-valuetext": describe([time, speed]),
    }));
  }
}
