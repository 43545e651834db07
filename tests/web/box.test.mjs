import assert from "node:assert/strict";
import { test } from "node:test";
import { HANDLES, MIN_SIZE, clampBox, dragBox, handlePoint, spanBox } from "../../web/js/box.mjs";

const BOX = [20, 30, 40, 50];

test("a box stays inside its picture, in whole pixels", () => {
  assert.deepEqual(clampBox([-5, 95.4, 30, 30], 100, 100), [0, 70, 30, 30]);
  assert.deepEqual(clampBox([10, 10, 500, 2], 100, 80), [0, 10, 100, MIN_SIZE]);
  assert.deepEqual(clampBox([0, 0, 9, 9], 5, 4), [0, 0, 5, 4]);
});

test("moving keeps the size and stops at the edges", () => {
  assert.deepEqual(dragBox(BOX, "move", 5, -7, 100, 100), [25, 23, 40, 50]);
  assert.deepEqual(dragBox(BOX, "move", 500, 500, 100, 100), [60, 50, 40, 50]);
});

test("each handle moves its own sides only", () => {
  assert.deepEqual(dragBox(BOX, "n", 9, -10, 100, 100), [20, 20, 40, 60]);
  assert.deepEqual(dragBox(BOX, "w", -10, 9, 100, 100), [10, 30, 50, 50]);
  assert.deepEqual(dragBox(BOX, "se", 10, 5, 100, 100), [20, 30, 50, 55]);
});

test("no handle turns a box inside out or out of the picture", () => {
  for (const handle of HANDLES) {
    for (const shift of [-1000, 1000]) {
      const [x, y, w, h] = dragBox(BOX, handle, shift, shift, 100, 100);
      assert.ok(x >= 0 && y >= 0 && w >= MIN_SIZE && h >= MIN_SIZE && x + w <= 100 && y + h <= 100, `${handle} ${shift}`);
    }
  }
});

test("a box is drawn between two points in any order", () => {
  assert.deepEqual(spanBox([50, 60], [10, 20], 100, 100), [10, 20, 40, 40]);
  assert.deepEqual(spanBox([90, 90], [400, -50], 100, 100), [90, 0, 10, 90]);
});

test("handles sit on corners and the middle of sides", () => {
  assert.deepEqual(handlePoint(BOX, "nw"), [20, 30]);
  assert.deepEqual(handlePoint(BOX, "e"), [60, 55]);
  assert.deepEqual(handlePoint(BOX, "s"), [40, 80]);
});
