// The face box over the portrait, on FaceRegionMask.
import { api } from "../../../scripts/api.js";
import { HANDLES, clampBox, dragBox, handlePoint, spanBox } from "./box.mjs";
import { addPanel, button, commit, getValue, growNode, html, ownsPointer, setValue, svg } from "./dom.mjs";
import { facePath, isLinked, picturePath, sourceOf } from "./upstream.mjs";
import { t } from "./words.mjs";

const BOX = ["box_x", "box_y", "box_width", "box_height"];
const OVERRIDES = ["mask", "bounding_box", "face_landmarks"];
const CURSORS = { n: "ns", s: "ns", e: "ew", w: "ew", nw: "nwse", se: "nwse", ne: "nesw", sw: "nesw" };
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const HANDLE_PIXELS = 9;
const DRAG_PIXELS = 3; // a shorter move is a click

const DRAWN_FOR = "emo_box_for"; // the node's property that names the picture which its box was drawn on

const describe = ([x, y, width, height]) => t("{width} × {height} at {x}, {y}", { x, y, width, height });
const boxOf = (node) => BOX.map((name) => Number(getValue(node, name)) || 0);

export class FaceBox {
  size = null; // [width, height] of the picture
  found = null; // what detection answered: {box} or {box: null}
  result = null; // the last run's answer
  state = "";
  drag = null;

  constructor(node) {
    this.node = node;
    this.image = html("img", { alt: "", draggable: "false" });
    this.overlay = ownsPointer(svg("svg", { class: "emo-overlay", preserveAspectRatio: "xMidYMid meet" }));
    this.hint = html("div", { class: "emo-hint" });
    this.stage = html("div", { class: "emo-stage emo-picture" }, this.image, this.overlay, this.hint);
    this.note = html("span", { class: "emo-note", role: "status" });
    const keep = t("This box is right for this picture too");
    this.keep = ownsPointer(button(keep, t("Keep"), () => this.keepBox()));
    const detect = t("Detect the face (sets the box to 0)");
    this.reset = ownsPointer(button(detect, t("Detect"), () => this.toAutomatic()));
    const bar = html("div", { class: "emo-bar" }, this.note, this.keep, this.reset);
    addPanel(node, "emo_face", html("div", {}, this.stage, bar), () => 210);
    growNode(node, 280);
    this.image.addEventListener("load", () => this.setPicture(this.image.naturalWidth, this.image.naturalHeight));
    this.image.addEventListener("error", () => this.setPicture(0, 0));
    this.listen();
    new ResizeObserver(() => this.draw()).observe(this.stage);
  }

  listen() {
    this.overlay.addEventListener("pointerdown", (event) => this.press(event));
    this.overlay.addEventListener("pointermove", (event) => this.move(event));
    for (const type of ["pointerup", "pointercancel"]) this.overlay.addEventListener(type, () => this.release());
    this.overlay.addEventListener("dblclick", () => this.toAutomatic());
    this.overlay.addEventListener("keydown", (event) => this.key(event));
  }

  // What decides the drawing; compared as text several times a second, so that typing, undo and loading all show.
  tick() {
    const source = sourceOf(this.node, "image");
    const values = boxOf(this.node);
    const faceIndex = Number(getValue(this.node, "face_index")) || 0;
    const linked = BOX.some((name) => isLinked(this.node, name));
    const override = OVERRIDES.find((name) => isLinked(this.node, name));
    const state = JSON.stringify([source, values, faceIndex, linked, override]);
    if (state === this.state) return;
    this.state = state;
    const typed = this.values && String(values) !== String(this.values);
    Object.assign(this, { values, linked, override });
    this.setSource(source, faceIndex);
    if (typed) this.markDrawn();
    this.draw();
  }

  /** Names the picture that the box belongs to; undefined for one that only a run can tell. */
  get picture() {
    return this.source && !this.source.other ? JSON.stringify(this.source) : undefined;
  }

  markDrawn() {
    this.node.properties[DRAWN_FOR] = this.automatic ? undefined : this.picture;
  }

  /** Whether the box was drawn on another picture than the one that is connected now. */
  get foreign() {
    const drawnFor = this.node.properties[DRAWN_FOR] ?? this.firstPicture;
    return !this.automatic && !this.linked && Boolean(drawnFor && this.picture) && drawnFor !== this.picture;
  }

  keepBox() {
    this.markDrawn();
    this.draw();
    commit();
  }

  get automatic() {
    return this.values[2] <= 0 || this.values[3] <= 0;
  }

  get box() {
    if (!this.size) return null;
    if (!this.automatic) return clampBox(this.values, ...this.size);
    const box = (this.found ?? this.result)?.box;
    return box && clampBox(box, ...this.size);
  }

  setSource(source, faceIndex) {
    const key = JSON.stringify([source, faceIndex, this.override]);
    if (key !== this.sourceKey) this.result = this.found = this.question = null;
    Object.assign(this, { source, sourceKey: key });
    this.firstPicture ??= this.picture; // a box that came without a name, from an older workflow, belongs to it
    this.showPicture();
    // For faces that other nodes give, the run tells.
    const question = this.automatic && !this.override && facePath(source, faceIndex);
    if (question && question !== this.question) this.detect(question);
  }

  showPicture() {
    const result = this.source?.other && this.result ? { file: this.result.image } : undefined;
    const path = picturePath(result ?? this.source);
    if (path === this.path) return;
    this.path = path;
    this.size = null;
    this.failed = false;
    if (path) this.image.src = api.apiURL(path);
    else this.image.removeAttribute("src");
  }

  /** The picture came, `width` x `height` of its pixels; a run's is shrunk and says how large it was. */
  setPicture(width, height) {
    const shrunk = this.source?.other && this.result;
    this.size = width && height ? [shrunk?.width ?? width, shrunk?.height ?? height] : null;
    this.failed = !this.size;
    this.draw();
  }

  async detect(question) {
    this.question = question;
    this.found = null;
    const response = await api.fetchApi(question);
    if (question !== this.question) return;
    this.found = response.ok ? await response.json() : null;
    if (!response.ok) this.question = null;
    this.draw();
  }

  /** The node ran: its picture serves when the source cannot be read here. */
  executed(output) {
    this.result = output?.emo_face?.[0] ?? this.result;
    this.showPicture();
    this.draw();
  }

  toAutomatic() {
    if (this.linked) return;
    BOX.forEach((name) => setValue(this.node, name, 0));
    this.node.properties[DRAWN_FOR] = undefined;
    this.question = null;
    this.tick();
    commit();
  }

  setBox(box) {
    BOX.forEach((name, i) => setValue(this.node, name, box[i]));
    this.values = box;
    this.markDrawn();
    this.draw();
  }

  /** Picture pixels under the pointer; the picture is centred in the stage. */
  point(event) {
    const rect = this.overlay.getBoundingClientRect();
    const [width, height] = this.size;
    const scale = Math.min(rect.width / width, rect.height / height);
    const left = rect.left + (rect.width - width * scale) / 2;
    const top = rect.top + (rect.height - height * scale) / 2;
    return [(event.clientX - left) / scale, (event.clientY - top) / scale];
  }

  press(event) {
    if (event.button !== 0 || !this.size || this.linked) return;
    const handle = event.target.dataset.handle ?? "new";
    this.drag = { handle, box: this.box, at: this.point(event), x: event.clientX, y: event.clientY, moved: false };
    this.overlay.setPointerCapture(event.pointerId);
  }

  move(event) {
    const drag = this.drag;
    if (!drag) return;
    drag.moved ||= Math.hypot(event.clientX - drag.x, event.clientY - drag.y) > DRAG_PIXELS;
    if (!drag.moved) return;
    const now = this.point(event);
    const shift = [now[0] - drag.at[0], now[1] - drag.at[1]];
    if (drag.handle === "new") this.setBox(spanBox(drag.at, now, ...this.size));
    else this.setBox(dragBox(drag.box, drag.handle, ...shift, ...this.size));
  }

  release() {
    const moved = this.drag?.moved;
    this.drag = null;
    if (moved) commit();
  }

  key(event) {
    const arrow = ARROWS[event.key];
    if (!arrow || !this.box || this.linked) return;
    event.preventDefault();
    event.stopPropagation();
    const step = event.shiftKey ? 10 : 1;
    this.setBox(dragBox(this.box, event.altKey ? "se" : "move", arrow[0] * step, arrow[1] * step, ...this.size));
    commit();
  }

  draw() {
    if (!this.values) return;
    const box = this.box;
    this.hint.textContent = this.size ? "" : this.hintText();
    this.note.textContent = this.size ? this.noteText(box) : "";
    this.reset.disabled = this.automatic || this.linked;
    this.keep.hidden = !this.foreign;
    this.stage.classList.toggle("emo-error", this.foreign);
    this.stage.classList.toggle("emo-blank", !this.size);
    if (this.size) this.overlay.setAttribute("viewBox", `0 0 ${this.size[0]} ${this.size[1]}`);
    const focused = this.overlay.contains(document.activeElement);
    this.overlay.replaceChildren(...(this.size && box ? this.shapes(box) : []));
    if (focused) this.overlay.querySelector(".emo-box")?.focus();
  }

  hintText() {
    if (!this.source) return t("Connect a picture to see it here");
    if (!this.path) return t("The picture shows here after a run");
    return this.failed ? t("The picture cannot be shown") : "";
  }

  noteText(box) {
    if (this.linked) return t("The box comes from a link");
    if (this.foreign) return t("Drawn for another picture");
    if (!this.automatic) return describe(box);
    if (this.override) return t("From {input}; a drag here replaces it", { input: this.override });
    if (box && this.found) return t("Detected {box}", { box: describe(box) });
    if (box) return t("Last run {box}", { box: describe(box) });
    if (this.found) return t("No face found: drag to mark it");
    return this.question ? t("Looking for the face…") : t("Found by the run, or drag to mark it");
  }

  shapes(box) {
    const [x, y, width, height] = box;
    const scale = Math.min(this.stage.clientWidth / this.size[0], this.stage.clientHeight / this.size[1]) || 1;
    const side = HANDLE_PIXELS / scale;
    const label = t("Face box, {box}; arrow keys move it, with Alt they size it", { box: describe(box) });
    const [W, H] = this.size;
    const shade = svg("path", { class: "emo-shade", d: `M0 0H${W}V${H}H0ZM${x} ${y}v${height}h${width}v${-height}Z` });
    const shape = { x, y, width, height, tabindex: 0, role: "application", "aria-label": label, "data-handle": "move" };
    const frame = svg("rect", { class: this.automatic ? "emo-box emo-dashed" : "emo-box", ...shape });
    const handles = this.linked ? [] : HANDLES.map((handle) => {
      const [hx, hy] = handlePoint(box, handle);
      const place = { x: hx - side / 2, y: hy - side / 2, width: side, height: side };
      const style = `cursor:${CURSORS[handle]}-resize`;
      return svg("rect", { class: "emo-handle", "data-handle": handle, style, ...place });
    });
    return [shade, frame, ...(this.automatic ? [this.tag(x, y, scale)] : []), ...handles];
  }

  tag(x, y, scale) {
    const above = y > 16 / scale;
    const at = { x: x + (above ? 0 : 6 / scale), y: above ? y - 6 / scale : y + 16 / scale };
    const font = { class: "emo-tag", "font-size": 11 / scale, "stroke-width": 3 / scale };
    return svg("text", { ...font, ...at }, this.found ? t("detected") : t("last run"));
  }
}
