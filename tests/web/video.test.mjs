import assert from "node:assert/strict";
import { test } from "node:test";
import { Video, KEEP_SECONDS, decodePcm } from "../../web/js/video.mjs";

const pcm = (values) => Buffer.from(Int16Array.from(values).buffer).toString("base64");
const event = (clip, clips = 3, frames = ["a", "b"]) => ({
  clip, clips, fps: 25, sample_rate: 16000, frames: frames.map((name) => `${name}${clip}`), sound: pcm([0, 1]),
});

test("sound is 16-bit little-endian", () => {
  assert.deepEqual([...decodePcm(pcm([0, 16384, -32768]))], [0, 0.5, -1]);
  assert.equal(decodePcm("").length, 0);
  assert.equal(decodePcm(undefined).length, 0);
});

test("clips follow one another in time", () => {
  const video = new Video();
  assert.equal(video.add(event(0)), true);
  assert.equal(video.add(event(1)), false);
  assert.equal(video.end.toFixed(2), "0.16");
  assert.equal(video.complete, false);
  assert.equal(video.length.toFixed(2), "0.24");
  video.add(event(2));
  assert.equal(video.complete, true);
  assert.equal(video.length, video.end);
});

test("the frame shown is the one whose time it is", () => {
  const video = new Video();
  [0, 1, 2].forEach((clip) => video.add(event(clip)));
  const shown = [-1, 0, 0.039, 0.04, 0.08, 0.2, 9].map((time) => video.frameAt(time));
  assert.deepEqual(shown, ["a0", "a0", "a0", "b0", "a1", "b2", "b2"]);
  assert.equal(new Video().frameAt(0), undefined);
});

test("every frame is reached at its own time", () => {
  const video = new Video();
  const names = Array.from({ length: 12 }, (_, i) => `f${i}.`);
  for (let clip = 0; clip < 40; clip++) video.add(event(clip, 40, names));
  for (let i = 0; i < 480; i++) assert.equal(video.frameAt(i / 25), `f${i % 12}.${Math.floor(i / 12)}`);
});

test("clip 0 starts over, and so does a clip that does not follow", () => {
  const video = new Video();
  [0, 1].forEach((clip) => video.add(event(clip)));
  assert.equal(video.add(event(0)), true);
  assert.equal(video.clips.length, 1);
  assert.equal(video.start, 0);
  assert.equal(video.add(event(2)), true);
  assert.equal(video.start.toFixed(2), "0.16");
});

test("only the last minute is kept", () => {
  const video = new Video();
  const second = Array.from({ length: 25 }, () => "f");
  for (let clip = 0; clip < 100; clip++) video.add(event(clip, 100, second));
  assert.equal(video.clips.length, KEEP_SECONDS);
  assert.equal(Math.round(video.start), 100 - KEEP_SECONDS);
  assert.equal(Math.round(video.end), 100);
  assert.equal(video.frameAt(0), video.clips[0].frames[0]);
});
