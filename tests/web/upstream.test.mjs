import assert from "node:assert/strict";
import { test } from "node:test";
import { makeGraph } from "./graph.mjs";
import { allGraphs, facePath, isLinked, nodeByExecutionId } from "../../web/js/upstream.mjs";
import { nodeBehind, parseFileName, picturePath, sourceOf, sourcePath } from "../../web/js/upstream.mjs";

const IMAGE = { name: "image", type: "IMAGE" };
const face = (id) => ({ id, type: "FaceRegionMask", inputs: [{ name: "model", type: "MODEL" }, IMAGE] });
const load = (id, value, type = "LoadImage") => ({ id, type, widgets: [{ name: "image", value }], inputs: [], outputs: [IMAGE] });
const reroute = (id) => ({ id, type: "Reroute", inputs: [{ name: "", type: "*" }], outputs: [{ type: "*" }] });
const file = (filename, subfolder = "", type = "input") => ({ file: { filename, subfolder, type } });

test("file names come with folders and places", () => {
  assert.deepEqual(parseFileName("a.png"), file("a.png").file);
  assert.deepEqual(parseFileName("sub/deep/a b.png"), file("a b.png", "sub/deep").file);
  assert.deepEqual(parseFileName("a.png [output]"), file("a.png", "", "output").file);
  assert.deepEqual(parseFileName("sub\\a [1].png [temp]"), file("a [1].png", "sub", "temp").file);
  assert.deepEqual(parseFileName("a [odd].png"), file("a [odd].png").file);
});

test("a loader gives its file", () => {
  const node = face(2);
  makeGraph([load(1, "sub/a.png"), node], [[1, 0, 2, 1]]);
  assert.deepEqual(sourceOf(node, "image"), file("a.png", "sub"));
  assert.equal(isLinked(node, "image"), true);
  assert.equal(isLinked(node, "model"), false);
  assert.equal(isLinked(node, "no such input"), false);
});

test("without a link there is no source, and other nodes need a run", () => {
  const alone = face(2);
  makeGraph([alone], []);
  assert.equal(sourceOf(alone, "image"), undefined);
  const scaled = face(2);
  makeGraph([load(1, "a.png", "ImageScale"), scaled], [[1, 0, 2, 1]]);
  assert.deepEqual(sourceOf(scaled, "image"), { other: true });
});

test("reroutes and bypassed nodes hand through", () => {
  const node = face(4);
  const bypassed = { id: 3, type: "ImageBlur", mode: 4, inputs: [{ name: "mask", type: "MASK" }, IMAGE], outputs: [IMAGE] };
  makeGraph([load(1, "a.png"), reroute(2), bypassed, node], [[1, 0, 2, 0], [2, 0, 3, 1], [3, 0, 4, 1]]);
  assert.deepEqual(sourceOf(node, "image"), file("a.png"));
});

test("a circle of reroutes ends", () => {
  const node = face(3);
  makeGraph([reroute(1), reroute(2), node], [[1, 0, 2, 0], [2, 0, 1, 0], [2, 0, 3, 1]]);
  assert.equal(sourceOf(node, "image"), undefined);
});

function subgraphWith(nodes, links, root) {
  const subgraph = makeGraph(nodes, links, root);
  root.subgraphs.set("s", subgraph);
  return subgraph;
}

test("the walk leaves a subgraph through its input", () => {
  const inner = face(9);
  const holder = { id: 5, type: "s", inputs: [{ name: "picture" }], outputs: [] };
  holder.subgraph = {};
  const root = makeGraph([load(1, "a.png"), holder], [[1, 0, 5, 0]]);
  holder.subgraph = subgraphWith([inner], [[-10, 0, 9, 1]], root);
  assert.deepEqual(sourceOf(inner, "image"), file("a.png"));
  assert.equal(nodeByExecutionId(root, "5:9"), inner);
  assert.equal(nodeByExecutionId(root, "5"), holder);
  assert.equal(nodeByExecutionId(root, "5:404"), undefined);
  assert.equal(nodeByExecutionId(root, "404:9"), undefined);
  assert.deepEqual(allGraphs(inner.graph), [root, inner.graph]);
});

test("the walk enters a subgraph through its output", () => {
  const node = face(2);
  const holder = { id: 5, type: "s", inputs: [], outputs: [IMAGE], subgraph: {} };
  const root = makeGraph([holder, node], [[5, 0, 2, 1]]);
  holder.subgraph = subgraphWith([load(7, "b.png [output]")], [[7, 0, -20, 0]], root);
  holder.subgraph.outputs = [{ linkIds: [0] }];
  assert.deepEqual(sourceOf(node, "image"), file("b.png", "", "output"));
});

test("an example's files are those of its choice and output", () => {
  const example = (people) => ({ id: 1, type: "EMOExample", inputs: [], outputs: [IMAGE, {}, {}], widgets: people });
  const source = (people) => {
    const node = face(2);
    makeGraph([example(people), node], [[1, 0, 2, 1]]);
    return sourceOf(node, "image");
  };
  assert.deepEqual(source([{ name: "people", value: "two people" }]), { example: "two-people.png" });
  assert.deepEqual(source([{ name: "people", value: "one person" }]), { example: "portrait.png" });
  assert.deepEqual(source(undefined), { example: "portrait.png" });
});

test("sources become routes of the server", () => {
  assert.equal(sourcePath({ example: "speech.wav" }), "/emo_portrait/example/speech.wav");
  assert.equal(sourcePath(file("a&b.png", "sub")), "/view?filename=a%26b.png&subfolder=sub&type=input");
  assert.equal(sourcePath({ other: true }), undefined);
  assert.equal(sourcePath(undefined), undefined);
  assert.equal(facePath({ example: "portrait.png" }, 0), "/emo_portrait/face?example=portrait.png&face_index=0");
  assert.equal(facePath(file("a.png"), 1), "/emo_portrait/face?filename=a.png&subfolder=&type=input&face_index=1");
  assert.equal(facePath({ other: true }), undefined);
  assert.equal(facePath(undefined), undefined);
});

test("pictures that may be cut out are shown as core's loader reads them, without their transparency", () => {
  const opaque = "&preview=jpeg;90&channel=rgb";
  assert.equal(picturePath(file("a.PNG")), `/view?filename=a.PNG&subfolder=&type=input${opaque}`);
  assert.equal(picturePath(file("a.jpg")), "/view?filename=a.jpg&subfolder=&type=input");
  assert.equal(picturePath({ example: "portrait.png" }), "/emo_portrait/example/portrait.png");
  assert.equal(picturePath({ other: true }), undefined);
});

test("the node behind an input is found over reroutes, and where asked over nodes that change what they hand on", () => {
  const MODEL = { name: "model", type: "MODEL" };
  const passing = (id, type) => ({ id, type, inputs: [MODEL], outputs: [{ type: "MODEL" }] });
  const [loader, lora, sampler] = [passing(1, "LoadEMOModel"), passing(2, "LoraLoader"), passing(4, "EMOSampler")];
  makeGraph([loader, lora, reroute(3), sampler], [[1, 0, 2, 0], [2, 0, 3, 0], [3, 0, 4, 0]]);
  assert.equal(nodeBehind(sampler, "model", "LoadEMOModel", true), loader);
  assert.equal(nodeBehind(sampler, "model", "LoadEMOModel"), undefined);
  assert.equal(nodeBehind(sampler, "model", "LoraLoader"), lora);
  assert.equal(nodeBehind(loader, "model", "LoadEMOModel", true), undefined);
});
