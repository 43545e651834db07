// Boxes are [x, y, width, height] in whole pixels of the picture.

export const MIN_SIZE = 8;
export const HANDLES = ["nw", "n", "ne", "e", "se", "s", "sw", "w"];

const BETWEEN_BOXES = /[;\r\n]/;
const BETWEEN_SIDES = /\s*,\s*|\s+/;

const clamp = (value, low, high) => Math.min(Math.max(value, low), Math.max(low, high));

/** Keeps a box inside a picture of `width` x `height`. */
export function clampBox([x, y, w, h], width, height) {
  const boxWidth = clamp(Math.round(w), Math.min(MIN_SIZE, width), width);
  const boxHeight = clamp(Math.round(h), Math.min(MIN_SIZE, height), height);
  return [clamp(Math.round(x), 0, width - boxWidth), clamp(Math.round(y), 0, height - boxHeight), boxWidth, boxHeight];
}

/** The box after one of its handles ("move", "n", "se", ...) went by dx, dy; the opposite side stays where it is. */
export function dragBox(box, handle, dx, dy, width, height) {
  const [x, y, w, h] = box;
  if (handle === "move") return clampBox([x + dx, y + dy, w, h], width, height);
  let [left, top, right, bottom] = [x, y, x + w, y + h];
  if (handle.includes("w")) left = clamp(left + dx, 0, right - MIN_SIZE);
  if (handle.includes("e")) right = clamp(right + dx, left + MIN_SIZE, width);
  if (handle.includes("n")) top = clamp(top + dy, 0, bottom - MIN_SIZE);
  if (handle.includes("s")) bottom = clamp(bottom + dy, top + MIN_SIZE, height);
  return clampBox([left, top, right - left, bottom - top], width, height);
}

/** The box between two points of the picture. */
export function spanBox([x0, y0], [x1, y1], width, height) {
  const [left, right] = [Math.min(x0, x1), Math.max(x0, x1)].map((x) => clamp(x, 0, width));
  const [top, bottom] = [Math.min(y0, y1), Math.max(y0, y1)].map((y) => clamp(y, 0, height));
  return clampBox([left, top, right - left, bottom - top], width, height);
}

/** Where a handle sits on a box. */
export function handlePoint([x, y, w, h], handle) {
  const column = handle.includes("w") ? 0 : handle.includes("e") ? 1 : 0.5;
  const row = handle.includes("n") ? 0 : handle.includes("s") ? 1 : 0.5;
  return [x + w * column, y + h * row];
}

/** Whether two boxes share a pixel. */
export function overlap([x, y, w, h], [otherX, otherY, otherW, otherH]) {
  return x < otherX + otherW && otherX < x + w && y < otherY + otherH && otherY < y + h;
}

const holds = ([x, y, w, h], [px, py]) => px >= x && px < x + w && py >= y && py < y + h;
const middle = ([x, y, w, h]) => [x + w / 2, y + h / 2];

/** Whether two boxes mark the same face, however they were found. */
export const sameFace = (one, other) => holds(one, middle(other)) || holds(other, middle(one));

/** A place for one more face: as large as the last box and beside it, where no box is; in the middle without any. */
export function freeBox(boxes, width, height) {
  const side = Math.min(width, height) / 3;
  if (!boxes.length) return clampBox([(width - side) / 2, (height - side) / 2, side, side], width, height);
  const [x, y, w, h] = boxes.at(-1);
  const [across, down] = [w * 1.5, h * 1.5];
  const steps = [[1, 0], [-1, 0], [0, 1], [0, -1], [2, 0], [-2, 0], [1, 1], [-1, 1], [1, -1], [-1, -1]];
  const places = steps.map(([dx, dy]) => clampBox([x + dx * across, y + dy * down, w, h], width, height));
  const free = places.find((place) => !boxes.some((box) => overlap(place, box)));
  return free ?? clampBox([x + w / 4, y + h / 4, w, h], width, height);
}

/** "210, 80, 120, 160; ..." -> {boxes, wrong}: what is no box stays text. */
export function parseBoxes(text) {
  const lines = String(text ?? "").split(BETWEEN_BOXES).map((line) => line.trim()).filter(Boolean);
  const boxes = lines.map((line) => line.split(BETWEEN_SIDES).map((side) => (side ? Number(side) : NaN)));
  const isBox = (box) => box.length === 4 && box.every(Number.isFinite) && box[2] > 0 && box[3] > 0;
  return { boxes: boxes.filter(isBox), wrong: lines.filter((_, index) => !isBox(boxes[index])) };
}

/** In one line, so that it can be read and edited in the widget. */
export const formatBoxes = (boxes) => boxes.map((box) => box.join(", ")).join("; ");
