import assert from "node:assert/strict";
import { test } from "node:test";
import { MAX_POINTS, MAX_SECONDS } from "../../web/js/curve.mjs";
import { axisLength, formatCurve, parseCurve, peaksOf, speedAt, tickStep } from "../../web/js/curve.mjs";

test("a curve reads points in the order of time and writes them back", () => {
  const { points, errors } = parseCurve("2.5:20, 0:4");
  assert.deepEqual(points, [[0, 4], [2.5, 20]]);
  assert.deepEqual(errors, []);
  assert.equal(formatCurve(points), "0:4, 2.5:20");
});

test("written points are short", () => assert.equal(formatCurve([[1.23456, 7.891]]), "1.23:7.9"));

test("line breaks, spaces, exponents and empty parts are fine", () => {
  const { points, errors } = parseCurve(" 0 : 4 ,\n1e0:.5,, ");
  assert.deepEqual(points, [[0, 4], [1, 0.5]]);
  assert.deepEqual(errors, []);
});

test("what is no point is told apart and does not throw", () => {
  const { points, errors } = parseCurve("0:4, x, 1:2:3, 2:, 3:99, -1:5, 4:8");
  assert.deepEqual(points, [[0, 4], [4, 8]]);
  assert.deepEqual(errors, ["x", "1:2:3", "2:", "3:99", "-1:5"]);
  for (const odd of [undefined, null, "", 7, {}]) assert.deepEqual(parseCurve(odd).points, []);
});

test("a curve is bounded in time and in points, so that no text makes an endless axis", () => {
  const { points, errors } = parseCurve("0:4, 86400:1, 86401:1, 1e9:5, 1e308:5, 1e400:5, Infinity:5, 1:1e400");
  assert.deepEqual(points, [[0, 4], [MAX_SECONDS, 1]]);
  assert.deepEqual(errors, ["86401:1", "1e9:5", "1e308:5", "1e400:5", "Infinity:5", "1:1e400"]);
  const many = (count) => parseCurve(Array.from({ length: count }, (_, i) => `${i}:4`).join(","));
  assert.equal(many(MAX_POINTS).points.length, MAX_POINTS);
  assert.deepEqual(many(MAX_POINTS + 1), { points: [], errors: [], tooMany: MAX_POINTS + 1 });
});

test("the speed at a time lies straight between the points and is held at the ends", () => {
  const points = [[1, 4], [3, 8], [3, 20]];
  assert.deepEqual([0, 1, 2, 3, 9].map((time) => speedAt(points, time)), [4, 4, 6, 8, 20]);
});

test("the axis covers the sound, or 5 s and room after the last point", () => {
  assert.equal(axisLength(7.5, [[2, 4]]), 7.5);
  assert.equal(axisLength(3, [[4, 4]]), 4);
  assert.equal(axisLength(undefined, []), 5);
  assert.equal(axisLength(undefined, [[9.2, 4]]), 11);
});

test("ticks are round and few", () => {
  assert.equal(tickStep(5, 6), 1);
  assert.equal(tickStep(3600, 6), 600);
  for (const length of [0.01, 5, 86400, 1e6, 1e11]) assert.ok(length / tickStep(length, 6) <= 6, length);
});

test("peaks are the loudest sample of each part over all channels", () => {
  const left = Float32Array.of(0, 0.5, 0, 0);
  const right = Float32Array.of(0, 0, 0, -2);
  assert.deepEqual(peaksOf([left, right], 2), [0.5, 1]);
  assert.deepEqual(peaksOf([left], 600), [0, 0.5, 0, 0]);
  assert.deepEqual(peaksOf([], 600), []);
});
