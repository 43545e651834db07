// Below the preview: while the sampler works, a button that ends it with the clip it is at and keeps what is there;
// otherwise what finished clips take on disk, and a button that removes them.
import { api } from "../../../scripts/api.js";
import { button, growNode, html, ownsPointer } from "./dom.mjs";
import { t } from "./words.mjs";

const CLIPS = "/emo_portrait/clips";
const HEIGHT = 24; // pixels, with its gap

export const megabytes = (bytes) => `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB`;

export class StopBar {
  running = null; // the execution id of the node while it samples
  pressed = false;
  kept = { count: 0, bytes: 0 };

  constructor(node) {
    this.node = node;
    this.note = html("span", { class: "emo-note", role: "status" });
    this.stop = ownsPointer(button(t("Stop and keep"), t("Stop and keep"), () => this.press()));
    this.empty = ownsPointer(button(t("Remove the finished clips"), t("Remove"), () => this.remove()));
    this.element = html("div", { class: "emo-bar emo-stop" }, this.note, this.stop, this.empty);
    this.look();
  }

  get height() {
    return this.element.hidden ? 0 : HEIGHT;
  }

  begin(id) {
    Object.assign(this, { running: id, pressed: false });
    this.draw();
  }

  end() {
    if (this.running === null) return;
    this.running = null;
    this.look();
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
    this.element.hidden = !sampling && count === 0;
    this.stop.hidden = !sampling;
    this.empty.hidden = sampling;
    this.stop.replaceChildren(this.pressed ? t("Cancel") : t("Stop and keep"));
    this.note.textContent = sampling
      ? this.pressed ? t("Ends with this clip") : ""
      : t("{count} finished clips kept, {size}", { count, size: megabytes(bytes) });
    if (this.node.widgets?.length) growNode(this.node);
  }
}
