// Below the preview: while the sampler works, the time left, and a button that ends it with the clip it is at and keeps
// what is there; otherwise what a run takes, what finished clips take on disk, and a button that removes them.
import { api } from "../../../scripts/api.js";
import { costLine, costPath, leftLine } from "./cost.mjs";
import { button, growNode, html, ownsPointer } from "./dom.mjs";
import { t } from "./words.mjs";

const CLIPS = "/emo_portrait/clips";
const HEIGHT = 24; // pixels, with its gap

export const megabytes = (bytes) => `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB`;

export class StopBar {
  running = null; // the execution id of the node while it samples
  pressed = false;
  kept = { count: 0, bytes: 0 };
  path = undefined; // of the route that the cost was asked from
  cost = ""; // what a run takes, in words; empty where only a run can tell
  left = ""; // what of it is left

  constructor(node) {
    this.node = node;
    this.note = html("span", { class: "emo-note", role: "status" });
    this.stop = ownsPointer(button(t("Stop and keep"), t("Stop and keep"), () => this.press()));
    this.empty = ownsPointer(button(t("Remove the finished clips"), t("Remove"), () => this.remove()));
    this.foretold = html("span", { class: "emo-note", role: "status" });
    this.bar = html("div", { class: "emo-bar" }, this.note, this.stop, this.empty);
    this.row = html("div", { class: "emo-bar" }, this.foretold);
    this.element = html("div", { class: "emo-stop" }, this.row, this.bar);
    this.look();
  }

  get height() {
    return [this.row, this.bar].filter((each) => !each.hidden).length * HEIGHT;
  }

  begin(id) {
    Object.assign(this, { running: id, pressed: false, left: "" });
    this.draw();
  }

  end() {
    if (this.running === null) return;
    Object.assign(this, { running: null, path: undefined }); // the next run's time is known better now
    this.look();
  }

  /** Values and links change in many ways: looks whether the run would be another one. */
  async tick() {
    const path = this.running === null ? costPath(this.node) : this.path;
    if (path === this.path) return;
    this.path = path;
    const answer = path && (await api.fetchApi(path));
    const cost = answer?.ok ? costLine(await answer.json()) : "";
    if (path !== this.path) return; // it changed again in the meantime
    this.cost = cost;
    this.draw();
  }

  /** One "emo.cost" event of the run: what it takes as it starts, and what is left. */
  receive(detail) {
    this.left = "left" in detail ? leftLine(detail.left) : costLine(detail);
    this.draw();
  }

  async press() {
    if (this.pressed) {
      await api.interrupt();
      return;
    }
    this.pressed = true;
    this.draw();
    await api.fetchApi(`/emo_portrait/stop/${encodeURIComponent(this.running)}`, { method: "POST" });
  }

  async look(method = "GET") {
    this.draw();
    const answer = await api.fetchApi(CLIPS, { method });
    if (!answer.ok) return;
    this.kept = method === "GET" ? await answer.json() : { count: 0, bytes: 0 };
    this.draw();
  }

  remove() {
    return this.look("DELETE");
  }

  draw() {
    const sampling = this.running !== null;
    const { count, bytes } = this.kept;
    this.row.hidden = sampling || !this.cost;
    this.bar.hidden = !sampling && count === 0;
    this.element.hidden = this.row.hidden && this.bar.hidden;
    this.stop.hidden = !sampling;
    this.empty.hidden = sampling;
    this.stop.replaceChildren(this.pressed ? t("Cancel") : t("Stop and keep"));
    this.note.textContent = sampling
      ? this.pressed ? t("Ends with this clip") : this.left
      : t("{count} finished clips kept, {size}", { count, size: megabytes(bytes) });
    this.foretold.textContent = this.foretold.title = this.cost;
    if (this.node.widgets?.length) growNode(this.node);
  }
}
