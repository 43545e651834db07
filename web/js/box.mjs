// Boxes are [x, y, width, height] in whole pixels of the picture.

export const MIN_SIZE = 8;
export const HANDLES = ["nw", "n", "ne", "e", "se", "s", "sw", "w"];

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
