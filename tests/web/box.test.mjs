import assert from "node:assert/strict";
import { test } from "node:test";
import * as boxes from "../../web/js/box.mjs";

const { HANDLES, MIN_SIZE, clampBox, dragBox, handlePoint, spanBox } = boxes;
const { formatBoxes, freeBox, overlap, parseBoxes, sameFace } = boxes;

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

test("boxes that share a pixel overlap, neighbours do not", () => {
  assert.ok(overlap([0, 0, 10, 10], [9, 9, 5, 5]));
  assert.ok(!overlap([0, 0, 10, 10], [10, 0, 10, 10]));
});

test("two boxes mark the same face when one has the middle of the other", () => {
  assert.ok(sameFace([0, 0, 40, 40], [10, 10, 40, 40]));
  assert.ok(sameFace([0, 0, 400, 400], [1, 1, 9, 9]));
  assert.ok(!sameFace([0, 0, 40, 40], [30, 0, 40, 40]));
});

test("one more face gets a place of its own inside the picture", () => {
  assert.deepEqual(freeBox([], 300, 600), [100, 250, 100, 100]);
  assert.deepEqual(freeBox([[10, 20, 40, 50]], 400, 100), [70, 20, 40, 50]);
  assert.deepEqual(freeBox([[350, 20, 40, 50]], 400, 100), [290, 20, 40, 50]);
  const taken = [];
  for (let i = 0; i < 6; i++) taken.push(freeBox(taken, 900, 600));
  assert.equal(new Set(taken.map(String)).size, 6);
  assert.ok(taken.every(([x, y, w, h]) => x >= 0 && y >= 0 && x + w <= 900 && y + h <= 600));
  for (const box of taken) assert.deepEqual(taken.filter((other) => overlap(box, other)), [box]);
});

test("boxes are read from lines or between semicolons, and written as one line that is read again", () => {
  const two = [[210, 80, 120, 160], [400, 90, 110.5, 150]];
  for (const text of ["210, 80, 120, 160\n400,90,110.5,150\n", " 210 80 120 160 ;400, 90, 110.5, 150; ", formatBoxes(two)]) {
    assert.deepEqual(parseBoxes(text), { boxes: two, wrong: [] });
  }
  assert.deepEqual(parseBoxes(""), { boxes: [], wrong: [] });
  assert.deepEqual(parseBoxes(undefined), { boxes: [], wrong: [] });
});

test("what is no box stays text", () => {
  const text = "1, 2, 30, 40; 1, 2; 1, 2, 0, 4; 1, 2, x, 4; 1,,3,4; 1, 2, 3, 4, 5";
  assert.deepEqual(parseBoxes(text).boxes, [[1, 2, 30, 40]]);
  assert.deepEqual(parseBoxes(text).wrong, ["1, 2", "1, 2, 0, 4", "1, 2, x, 4", "1,,3,4", "1, 2, 3, 4, 5"]);
});
