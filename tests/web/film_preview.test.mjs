import assert from "node:assert/strict";
import { test } from "node:test";
import { followFormat } from "../../web/js/film_preview.mjs";

const FILM = { images: [{ filename: "a.mp4" }], animated: [true] };
const GIF = { images: [{ filename: "a.gif" }], audio: [{ filename: "a.sound.wav" }] };

function made(format) {
  const seen = [];
  const node = { widgets: [{ name: "format", value: format }], onExecuted: (output) => seen.push(output), seen };
  followFormat(node);
  return node;
}

function play(node) {
  node.removed = 0;
  node.widgets.push({ name: "video-preview", onRemove: () => (node.removed += 1) });
  node.videoContainer = {};
}

test("a new node waits for a film", () => {
  assert.equal(made("mp4 (H.264)").previewMediaType, "video");
});

test("what was played makes way for a picture, and the other way round", () => {
  const node = made("gif");
  play(node);
  node.onExecuted(GIF);
  assert.equal(node.previewMediaType, "image");
  assert.deepEqual(node.widgets.map((each) => each.name), ["format"]);
  assert.equal(node.removed, 1);
  assert.equal(node.videoContainer, undefined);
  node.imgs = ["a.gif"];
  node.onExecuted(FILM);
  assert.equal(node.previewMediaType, "video");
  assert.equal(node.imgs, undefined);
  assert.deepEqual(node.seen, [GIF, FILM]);
});

test("a player stays where a film follows a film", () => {
  const node = made("webm (VP9)");
  play(node);
  node.onExecuted(FILM);
  assert.equal(node.removed, 0);
  assert.notEqual(node.videoContainer, undefined);
});

test("a node of a workflow goes by its format, one of an older workflow plays", () => {
  for (const [format, shown] of [
    ["gif", "image"], ["png frames", "image"], ["mov (ProRes)", "image"], ["webm (VP9)", "video"], [undefined, "video"],
  ]) {
    const node = made(format);
    node.onConfigure({});
    assert.equal(node.previewMediaType, shown, format);
  }
});
