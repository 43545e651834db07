import assert from "node:assert/strict";
import { test } from "node:test";
import { makeGraph } from "./graph.mjs";
import { costLine, costPath, duration, leftLine } from "../../web/js/cost.mjs";

const widgets = (values) => Object.entries(values).map(([name, value]) => ({ name, value }));
const ports = (...types) => types.map((type) => ({ name: type.toLowerCase(), type }));

/** The sampler of a whole graph: sound 1, model 2, crop 3, reading 4, sampler 5, and a number 6. */
function sampler({ sound = "speech.wav", crop = [0, 0], extra = [], without = [], cache = 0, more = [] } = {}) {
  const nodes = [
    { id: 1, type: sound ? "LoadAudio" : "Synthesis", widgets: widgets({ audio: sound }), inputs: [], outputs: ports("AUDIO") },
    {
      id: 2, type: "LoadEMOModel", inputs: [], outputs: ports("MODEL"),
      widgets: widgets({ checkpoint: "demo (built in)", dtype: "fp16" }),
    },
    {
      id: 3, type: "FaceRegionMask", inputs: ports("MODEL", "IMAGE"), outputs: ports("IMAGE"),
      widgets: widgets({ crop_width: crop[0], crop_height: crop[1] }),
    },
    { id: 4, type: "ReferenceNetEncode", inputs: ports("IMAGE"), outputs: ports("REFERENCE") },
    {
      id: 5, type: "EMOSampler", inputs: [...ports("MODEL", "REFERENCE", "AUDIO"), { name: "steps", type: "INT" }],
      widgets: widgets({ steps: 20, cfg: 1.5, sampler_name: "euler", start_time: 2 }),
    },
    { id: 6, type: "Int", inputs: [], outputs: ports("INT") },
    {
      id: 7, type: "EMODeepCache", mode: cache, inputs: [...ports("MODEL"), { name: "interval", type: "INT" }],
      outputs: ports("MODEL"), widgets: widgets({ interval: 3 }),
    },
    ...more,
  ];
  const links = [[1, 0, 5, 2], [2, 0, 5, 0], [4, 0, 5, 1], [3, 0, 4, 0], [2, 0, 3, 0], ...extra];
  makeGraph(nodes, links.filter(([from, , to]) => !without.includes(`${from}-${to}`)));
  return nodes[4];
}

const query = (node) => Object.fromEntries(new URLSearchParams(costPath(node).split("?")[1]));

test("the question holds what decides: sound, model, steps, guidance and size", () => {
  assert.deepEqual(query(sampler({ crop: [384, 512] })), {
    filename: "speech.wav", subfolder: "", type: "input", checkpoint: "demo (built in)", dtype: "fp16",
    width: "384", height: "512", steps: "20", cfg: "1.5", sampler: "euler", start: "2",
  });
});

test("a crop without a number has the connected model's size, or 512 without one", () => {
  assert.equal(query(sampler()).width, "0");
  assert.equal(query(sampler({ without: ["2-3"] })).width, "512");
});

test("where only a run can tell nothing is asked", () => {
  assert.equal(costPath(sampler({ sound: "" })), undefined);
  for (const wire of ["1-5", "2-5", "4-5", "3-4"]) assert.equal(costPath(sampler({ without: [wire] })), undefined, wire);
  assert.equal(costPath(sampler({ extra: [[6, 0, 5, 3]] })), undefined);
});

test("DeepCache between model and sampler is told, unless it is bypassed or only a run can tell", () => {
  const between = { without: ["2-5"], extra: [[2, 0, 7, 0], [7, 0, 5, 0]] };
  assert.equal(query(sampler(between)).deep_cache, "3");
  assert.equal("deep_cache" in query(sampler({ ...between, cache: 4 })), false);
  assert.equal("deep_cache" in query(sampler()), false);
  assert.equal(costPath(sampler({ ...between, extra: [...between.extra, [6, 0, 7, 1]] })), undefined);
});

test("LoRAs that count are told by name, and an active DeepCache behind a bypassed one", () => {
  const lora = (strength, mode = 0) => ({
    type: "EMOLoadLora", mode, inputs: [...ports("MODEL"), { name: "strength", type: "FLOAT" }], outputs: ports("MODEL"),
    widgets: widgets({ lora_name: `s${strength}.safetensors`, strength }),
  });
  const cache = (interval, mode) => ({
    type: "EMODeepCache", mode, inputs: ports("MODEL"), outputs: ports("MODEL"), widgets: widgets({ interval }),
  });
  const chain = [lora(1), lora(0), lora(0.5), lora(2, 4), cache(3, 0), cache(2, 4)];
  const more = chain.map((node, k) => ({ id: 10 + k, ...node }));
  const links = [[2, 0, 10, 0], ...more.slice(1).map((node) => [node.id - 1, 0, node.id, 0]), [15, 0, 5, 0]];
  const asked = query(sampler({ without: ["2-5"], extra: links, more }));
  assert.equal(asked.loras, "s0.5.safetensors\ns1.safetensors");
  assert.equal(asked.deep_cache, "3");
  const wired = [...links, [6, 0, 10, 1]];
  assert.equal(costPath(sampler({ without: ["2-5"], extra: wired, more })), undefined);
});

test("durations say no more than one cares for", () => {
  const said = [0.2, 59.4, 59.6, 125, 12059].map(duration);
  assert.deepEqual(said, ["1 s", "59 s", "1 min 0 s", "2 min 5 s", "3 h 20 min"]);
  assert.equal(leftLine(61), "1 min 1 s left");
});

test("one line says what a run takes", () => {
  const found = { frames: 125, clips: 11, seconds: 25.2, bytes: 0.9e9, free: 8e9 };
  assert.equal(costLine(found), "125 frames · 11 clips · about 25 s · 0.9 GB");
  assert.equal(costLine({ ...found, seconds: null, clips: 1 }), "125 frames · 1 clip · time known after the first steps · 0.9 GB");
  assert.equal(costLine({ frames: 3, clips: 1, seconds: 2 }), "3 frames · 1 clip · about 2 s");
  assert.match(costLine({ ...found, free: 0.5e9 }), /0\.9 GB · ⚠ 0\.5 GB are free: use a smaller crop/);
});
