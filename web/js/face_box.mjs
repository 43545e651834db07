// The faces' boxes over the portrait, on FaceRegionMask.
import { api } from "../../../scripts/api.js";
import { clampBox, dragBox, freeBox, sameFace, spanBox } from "./box.mjs";
import { addPanel, button, commit, getValue, growNode, html, ownsPointer } from "./dom.mjs";
import { faceShapes } from "./face_shapes.mjs";
import { FaceValues } from "./face_values.mjs";
import { labelOf, noteText, tagOf } from "./face_words.mjs";
import { Portrait } from "./portrait.mjs";
import { facePath, isLinked, sourceOf } from "./upstream.mjs";
import { t } from "./words.mjs";

const OVERRIDES = ["mask", "bounding_box", "face_landmarks"];
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const REMOVE = ["Delete", "Backspace"];
const DRAG_PIXELS = 3; // a shorter move is a click

const DRAWN_FOR = "emo_box_for"; // the node's property that names the picture which its boxes were drawn on

const control = (label, face, onClick) => ownsPointer(button(label, face, onClick));

export class FaceBox {
  found = null; // what detection answered: {box, boxes}, of which box may be null
  result = null; // the last run's answer
  state = "";
  drag = null;
  selected = 0; // of the faces, in their order

  constructor(node) {
    this.node = node;
    this.values = new FaceValues(node);
    this.portrait = new Portrait(() => this.draw());
    this.overlay = this.portrait.overlay;
    this.note = html("span", { class: "emo-note", role: "status" });
    this.keep = control(t("This box is right for this picture too"), t("Keep"), () => this.keepBoxes());
    this.remove = control(t("Remove this person"), "−", () => this.removeFace());
    this.add = control(t("Add a person"), "+", () => this.addFace());
    this.reset = control(t("Detect the face (sets the box to 0)"), t("Detect"), () => this.toAutomatic());
    const bar = html("div", { class: "emo-bar" }, this.note, this.keep, this.remove, this.add, this.reset);
    addPanel(node, "emo_face", html("div", {}, this.portrait.stage, bar), () => 210);
    growNode(node, 280);
    this.listen();
  }

  listen() {
    this.overlay.addEventListener("pointerdown", (event) => this.press(event));
    this.overlay.addEventListener("mousedown", (event) => this.takeFocus(event));
    this.overlay.addEventListener("pointermove", (event) => this.move(event));
    for (const type of ["pointerup", "pointercancel"]) this.overlay.addEventListener(type, () => this.release());
    this.overlay.addEventListener("dblclick", () => this.chosen?.further >= 0 || this.toAutomatic());
    this.overlay.addEventListener("keydown", (event) => this.key(event));
    this.overlay.addEventListener("focusin", (event) => this.select(event.target.dataset.face));
  }

  // What decides the drawing; compared as text several times a second, so that typing, undo and loading all show.
  tick() {
    const source = sourceOf(this.node, "image");
    const faceIndex = Number(getValue(this.node, "face_index")) || 0;
    const former = this.values.text;
    this.values.read();
    const { text, linked, moreLinked } = this.values;
    const override = OVERRIDES.find((name) => isLinked(this.node, name));
    const state = JSON.stringify([source, text, faceIndex, linked, moreLinked, override]);
    if (state === this.state) return;
    const typed = this.state && text !== former;
    Object.assign(this, { state, override });
    this.setSource(source, faceIndex);
    if (typed) this.markDrawn();
    this.draw();
  }

  /** Names the picture that the boxes belong to; undefined for one that only a run can tell. */
  get picture() {
    return this.source && !this.source.other ? JSON.stringify(this.source) : undefined;
  }

  markDrawn() {
    this.node.properties[DRAWN_FOR] = this.values.any ? this.picture : undefined;
  }

  /** Whether boxes were drawn on another picture than the one that is connected now. */
  get foreign() {
    const drawnFor = this.node.properties[DRAWN_FOR] ?? this.firstPicture;
    return this.values.any && Boolean(drawnFor && this.picture) && drawnFor !== this.picture;
  }

  keepBoxes() {
    this.markDrawn();
    this.draw();
    commit();
  }

  /** What stands for the first face: its box, or what is known of others'; of several masks each is one. */
  get firstBoxes() {
    if (!this.values.automatic) return [this.values.first];
    if (this.found) return this.found.box ? [this.found.box] : [];
    return this.result?.boxes.slice(0, this.result.boxes.length - this.result.further) ?? [];
  }

  /** Those after them; what comes over a link, the run tells. */
  get furtherBoxes() {
    if (!this.values.moreLinked) return this.values.more;
    return this.result?.boxes.slice(this.result.boxes.length - this.result.further) ?? [];
  }

  /** {box, number, further} of each face, `further` counting from 0, or -1 for what stands for the first. */
  get faces() {
    if (!this.portrait.size) return [];
    const [firsts, furthers] = [this.firstBoxes, this.furtherBoxes];
    const clamped = (box) => clampBox(box, ...this.portrait.size);
    return [
      ...firsts.map((box, i) => ({ box: clamped(box), number: i + 1, further: -1 })),
      ...furthers.map((box, i) => ({ box: clamped(box), number: Math.max(firsts.length, 1) + i + 1, further: i })),
    ];
  }

  get chosen() {
    const { faces } = this;
    return faces[Math.min(this.selected, faces.length - 1)];
  }

  isFixed({ further }) {
    return further < 0 ? this.values.linked : !this.values.open;
  }

  isRemovable({ further }) {
    const { automatic, linked, open, more } = this.values;
    return open && (further >= 0 || (!automatic && !linked && more.length > 0));
  }

  setSource(source, faceIndex) {
    const key = JSON.stringify([source, faceIndex, this.override]);
    if (key !== this.sourceKey) this.result = this.found = this.question = null;
    Object.assign(this, { source, sourceKey: key });
    this.firstPicture ??= this.picture; // a box that came without a name, from an older workflow, belongs to it
    this.portrait.show(source, this.result);
    // For faces that other nodes give, the run tells.
    const question = this.values.automatic && !this.override && facePath(source, faceIndex);
    if (question && question !== this.question) this.detect(question);
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
    this.portrait.show(this.source, this.result);
    this.draw();
  }

  /** The first face is looked for again; boxes of another picture are of no use beside it. */
  toAutomatic() {
    const { foreign } = this;
    if (this.values.linked && !foreign) return;
    if (!this.values.linked) this.values.setFirst([0, 0, 0, 0]);
    if (foreign && this.values.open) this.values.setMore([]);
    this.question = null;
    this.markDrawn();
    this.tick();
    commit();
  }

  /** One more face: the next that is detected and has no box, else a place beside the others. */
  async addFace() {
    const detected = await this.detectedBoxes();
    if (!this.portrait.size || !this.values.open) return;
    const { values } = this;
    const taken = this.faces.map(({ box }) => box);
    const next = detected.find((box) => !taken.some((other) => sameFace(box, other)));
    const box = clampBox(next ?? freeBox(taken, ...this.portrait.size), ...this.portrait.size);
    if (values.automatic && this.found && !this.found.box) values.setFirst(box);
    else values.setMore([...values.more, box]);
    this.selected = this.faces.length - 1;
    this.finish();
    this.focus();
  }

  async detectedBoxes() {
    const question = facePath(this.source, 0);
    if (this.found || !question) return this.found?.boxes ?? [];
    const response = await api.fetchApi(question);
    return response.ok ? (await response.json()).boxes : [];
  }

  /** Where the first face is removed, the next one becomes the first. */
  removeFace() {
    const { chosen, values } = this;
    if (!chosen || !this.isRemovable(chosen)) return;
    if (chosen.further < 0) values.setFirst(values.more[0]);
    values.setMore(values.more.filter((_, index) => index !== Math.max(chosen.further, 0)));
    this.selected = Math.max(0, this.selected - 1);
    this.finish();
  }

  setBox(face, box) {
    if (face.further >= 0) this.values.setMore(this.values.more.map((each, i) => (i === face.further ? box : each)));
    else this.values.setFirst(box);
    this.markDrawn();
    this.draw();
  }

  finish() {
    this.markDrawn();
    this.draw();
    commit();
  }

  select(index) {
    if (index === undefined || Number(index) === this.selected) return;
    this.selected = Number(index);
    this.draw();
  }

  press(event) {
    if (event.button !== 0 || !this.portrait.size) return;
    this.select(event.target.dataset.face);
    const handle = event.target.dataset.handle ?? "new";
    // what is drawn where no face is known becomes the first one
    const face = handle === "new" && !this.firstBoxes.length ? { further: -1 } : (this.chosen ?? { further: -1 });
    if (this.isFixed(face)) return;
    this.drag = { handle, face, at: this.portrait.point(event), x: event.clientX, y: event.clientY, moved: false };
    this.overlay.setPointerCapture(event.pointerId);
  }

  move(event) {
    const drag = this.drag;
    if (!drag) return;
    drag.moved ||= Math.hypot(event.clientX - drag.x, event.clientY - drag.y) > DRAG_PIXELS;
    if (!drag.moved) return;
    const { size } = this.portrait;
    const now = this.portrait.point(event);
    const shift = [now[0] - drag.at[0], now[1] - drag.at[1]];
    if (drag.handle === "new") this.setBox(drag.face, spanBox(drag.at, now, ...size));
    else this.setBox(drag.face, dragBox(drag.face.box, drag.handle, ...shift, ...size));
  }

  release() {
    const moved = this.drag?.moved;
    this.drag = null;
    if (moved) commit();
  }

  key(event) {
    const [arrow, face] = [ARROWS[event.key], this.chosen];
    const removes = REMOVE.includes(event.key);
    if ((!arrow && !removes) || !face) return;
    event.preventDefault();
    event.stopPropagation(); // else ComfyUI removes the node
    if (removes) this.removeFace();
    if (!arrow || this.isFixed(face)) return;
    const step = event.shiftKey ? 10 : 1;
    const { size } = this.portrait;
    this.setBox(face, dragBox(face.box, event.altKey ? "se" : "move", arrow[0] * step, arrow[1] * step, ...size));
    commit();
  }

  draw() {
    const { faces, values, portrait } = this;
    this.selected = Math.max(0, Math.min(this.selected, faces.length - 1));
    const { chosen, foreign } = this;
    this.note.textContent = portrait.size ? noteText(this, chosen, faces.length) : "";
    this.reset.disabled = (values.automatic || values.linked) && !foreign;
    this.keep.hidden = !foreign;
    this.add.disabled = !portrait.size || !values.open;
    this.add.hidden = foreign; // that is to be answered first
    this.remove.hidden = foreign || !chosen || !this.isRemovable(chosen);
    const focused = this.overlay.contains(document.activeElement);
    const shown = faces.map((face) => this.shown(face, faces.length));
    const shapes = faces.length ? faceShapes(shown, this.selected, portrait.size, portrait.scale) : [];
    portrait.draw(shapes, foreign || values.wrong.length > 0);
    if (focused) this.focus();
  }

  shown(face, count) {
    const label = labelOf(face, count, this.isRemovable(face));
    const dashed = face.further < 0 && this.values.automatic;
    return { box: face.box, label, tag: tagOf(this, face, count), dashed, fixed: this.isFixed(face) };
  }

  /** Else it goes to the overlay, since the shape that was pressed has been drawn anew. */
  takeFocus(event) {
    if (!this.chosen) return;
    event.preventDefault();
    this.focus();
  }

  focus() {
    this.overlay.querySelector(`[data-face="${this.selected}"]`)?.focus();
  }
}
