import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";
import { setWords, t, translateLines } from "../../web/js/words.mjs";

const ROOT = new URL("../../", import.meta.url);
const LANGUAGE = JSON.parse(readFileSync(new URL("locales/zh/main.json", ROOT), "utf8")).emoPortrait;
const PLACES = /\{\w+\}/g;

/** The texts that the panels show: what stands in `t("...")`, or in a constant that is handed to it. */
function textsOf(scripts) {
  const calls = [...scripts.matchAll(/\bt\(\s*"((?:[^"\\]|\\.)+)"/g)].map((found) => found[1]);
  const constant = /FORM =\s+"([^"]+)"/.exec(scripts)[1];
  return [...calls, constant, "calm", "normal", "active"];
}

test("every text of the panels is in the Chinese table, with the same places, and nothing else is", () => {
  const folder = new URL("web/js/", ROOT);
  const names = readdirSync(folder).filter((name) => /\.m?js$/.test(name));
  const texts = textsOf(names.map((name) => readFileSync(new URL(name, folder), "utf8")).join("\n"));
  assert.deepEqual([...new Set(texts)].sort(), Object.keys(LANGUAGE.words).sort());
  for (const [english, chinese] of Object.entries(LANGUAGE.words)) {
    assert.deepEqual((chinese.match(PLACES) ?? []).sort(), (english.match(PLACES) ?? []).sort(), english);
    assert.match(chinese, /[\u4e00-\u9fff]/);
  }
});

test("a text without a translation stays English, and its places are filled", () => {
  setWords({ words: { "Detected {box}": "检测到 {box}" } });
  assert.equal(t("Detected {box}", { box: "9" }), "检测到 9");
  assert.equal(t("Last run {box}", { box: "9" }), "Last run 9");
  setWords();
  assert.equal(t("Detected {box}", { box: "9" }), "Detected 9");
});

test("a node's lines are translated one by one, with the values they came with", () => {
  setWords({ messages: { "%d of %d (%s): 50%% used": "{2} 中的 {1}，{3}", "From %s.": "来自 {1}。" } });
  assert.equal(translateLines("⚠ 3 of 7 (a.b): 50% used\nFrom x.y.\nunheard of"), "⚠ 7 中的 3，a.b\n来自 x.y。\nunheard of");
  setWords();
  assert.equal(translateLines("From x."), "From x.");
});
