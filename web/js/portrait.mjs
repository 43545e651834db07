// The portrait on a node, and an overlay that is drawn in its pixels.
import { api } from "../../../scripts/api.js";
import { html, ownsPointer, svg } from "./dom.mjs";
import { picturePath } from "./upstream.mjs";
import { t } from "./words.mjs";

export class Portrait {
  size = null; // [width, height] of the picture
  source; // as sourceOf answers
  told; // of a run's picture, which is shrunk: the size it says, of the whole one

  constructor(onChange) {
    this.onChange = onChange;
    this.image = html("img", { alt: "", draggable: "false" });
    this.overlay = ownsPointer(svg("svg", { class: "emo-overlay", preserveAspectRatio: "xMidYMid meet" }));
    this.hint = html("div", { class: "emo-hint" });
    this.stage = html("div", { class: "emo-stage emo-picture" }, this.image, this.overlay, this.hint);
    this.image.addEventListener("load", () => this.came(this.image.naturalWidth, this.image.naturalHeight));
    this.image.addEventListener("error", () => this.came(0, 0));
    new ResizeObserver(() => this.onChange()).observe(this.stage);
  }

  /** Of what cannot be read here, the last run's picture serves. */
  show(source, result) {
    const ran = source?.other && result ? result : undefined;
    this.source = source;
    this.told = ran && [ran.width, ran.height];
    const path = picturePath(ran ? { file: ran.image } : source);
    if (path === this.path) return;
    Object.assign(this, { path, size: null, failed: false });
    if (path) this.image.src = api.apiURL(path);
    else this.image.removeAttribute("src");
  }

  came(width, height) {
    this.size = width && height ? (this.told ?? [width, height]) : null;
    this.failed = !this.size;
    this.onChange();
  }

  /** Screen pixels of one of the picture's. */
  get scale() {
    const [width, height] = this.size;
    return Math.min(this.stage.clientWidth / width, this.stage.clientHeight / height) || 1;
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

  draw(shapes, wrong) {
    this.hint.textContent = this.size ? "" : this.hintText();
    this.stage.classList.toggle("emo-error", wrong);
    this.stage.classList.toggle("emo-blank", !this.size);
    if (this.size) this.overlay.setAttribute("viewBox", `0 0 ${this.size[0]} ${this.size[1]}`);
    this.overlay.replaceChildren(...shapes);
  }

  hintText() {
    if (!this.source) return t("Connect a picture to see it here");
    if (!this.path) return t("The picture shows here after a run");
    return this.failed ? t("The picture cannot be shown") : "";
  }
}
