// The faces in the widgets of FaceRegionMask: the first in four numbers, further ones as text.
import { formatBoxes, parseBoxes } from "./box.mjs";
import { getValue, setValue } from "./dom.mjs";
import { isLinked } from "./upstream.mjs";

const FIRST = ["box_x", "box_y", "box_width", "box_height"];
const MORE = "more_faces";

export class FaceValues {
  first = [0, 0, 0, 0];
  more = [];
  wrong = []; // parts of the text that are no boxes
  linked = false; // whether the first box comes over wires
  moreLinked = false;

  constructor(node) {
    this.node = node;
    this.read();
  }

  read() {
    this.first = FIRST.map((name) => Number(getValue(this.node, name)) || 0);
    this.linked = FIRST.some((name) => isLinked(this.node, name));
    this.moreLinked = isLinked(this.node, MORE);
    const { boxes, wrong } = this.moreLinked ? { boxes: [], wrong: [] } : parseBoxes(getValue(this.node, MORE));
    Object.assign(this, { more: boxes, wrong });
  }

  /** What the widgets hold, to compare. */
  get text() {
    return JSON.stringify([this.first, this.more, this.wrong]);
  }

  /** Whether the first face is looked for. */
  get automatic() {
    return this.first[2] <= 0 || this.first[3] <= 0;
  }

  /** Whether a box stands in a widget, of which another picture would know nothing. */
  get any() {
    return (!this.automatic && !this.linked) || this.more.length > 0;
  }

  /** Whether further faces can be written: not over a link, nor over text that would be lost. */
  get open() {
    return !this.moreLinked && !this.wrong.length;
  }

  setFirst(box) {
    FIRST.forEach((name, i) => setValue(this.node, name, box[i]));
    this.first = [...box];
  }

  setMore(boxes) {
    setValue(this.node, MORE, formatBoxes(boxes));
    this.more = boxes;
  }
}
