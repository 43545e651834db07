import assert from "node:assert/strict";
import { test } from "node:test";
import { Clip, KEEP_SECONDS, decodePcm } from "../../web/js/clip.mjs";

const pcm = (values) => Buffer.from(Int16Array.from(values).buffer).toString("base64");
const event = (chunk, chunks = 3, frames = ["a", "b"]) => ({
  chunk, chunks, fps: 25, sample_rate: 16000, frames: frames.map((name) => `${name}${chunk}`), sound: pcm([0, 1]),
});

test("sound is 16-bit little-endian", () => {
  assert.deepEqual([...decodePcm(pcm([0, 16384, -32768]))], [0, 0.5, -1]);
  assert.equal(decodePcm("").length, 0);
  assert.equal(decodePcm(undefined).length, 0);
});

test("chunks follow one another in time", () => {
  const clip = new Clip();
  assert.equal(clip.add(event(0)), true);
  assert.equal(clip.add(event(1)), false);
  assert.equal(clip.end.toFixed(2), "0.16");
  assert.equal(clip.complete, false);
  assert.equal(clip.length.toFixed(2), "0.24");
  clip.add(event(2));
  assert.equal(clip.complete, true);
  assert.equal(clip.length, clip.end);
});

test("the frame shown is the one whose time it is", () => {
  const clip = new Clip();
  [0, 1, 2].forEach((chunk) => clip.add(event(chunk)));
  const shown = [-1, 0, 0.039, 0.04, 0.08, 0.2, 9].map((time) => clip.frameAt(time));
  assert.deepEqual(shown, ["a0", "a0", "a0", "b0", "a1", "b2", "b2"]);
  assert.equal(new Clip().frameAt(0), undefined);
});

test("every frame is reached at its own time", () => {
  const clip = new Clip();
  const names = Array.from({ length: 12 }, (_, i) => `f${i}.`);
  for (let chunk = 0; chunk < 40; chunk++) clip.add(event(chunk, 40, names));
  for (let i = 0; i < 480; i++) assert.equal(clip.frameAt(i / 25), `f${i % 12}.${Math.floor(i / 12)}`);
});

test("chunk 0 starts over, and so does a chunk that does not follow", () => {
  const clip = new Clip();
  [0, 1].forEach((chunk) => clip.add(event(chunk)));
  assert.equal(clip.add(event(0)), true);
  assert.equal(clip.chunks.length, 1);
  assert.equal(clip.start, 0);
  assert.equal(clip.add(event(2)), true);
  assert.equal(clip.start.toFixed(2), "0.16");
});

test("only the last minute is kept", () => {
  const clip = new Clip();
  const second = Array.from({ length: 25 }, () => "f");
  for (let chunk = 0; chunk < 100; chunk++) clip.add(event(chunk, 100, second));
  assert.equal(clip.chunks.length, KEEP_SECONDS);
  assert.equal(Math.round(clip.start), 100 - KEEP_SECONDS);
  assert.equal(Math.round(clip.end), 100);
  assert.equal(clip.frameAt(0), clip.chunks[0].frames[0]);
});
