// EMO in the browser: the face box, the head speed curve and the growing preview. Every value lives in ordinary
// widgets, so a workflow works the same without this file.
import { app } from "../../../scripts/app.js";
import { api } from "../../../scripts/api.js";
import { ClipPlayer } from "./clip_player.mjs";
import { mountPanel } from "./dom.mjs";
import { FaceBox } from "./face_box.mjs";
import { followFormat } from "./film_preview.mjs";
import { SpeedCurve } from "./speed_curve.mjs";
import { allGraphs, nodeByExecutionId } from "./upstream.mjs";
import { setWords, translateLines } from "./words.mjs";

const PANELS = { FaceRegionMask: FaceBox, EMOHeadSpeed: SpeedCurve, EMOSampler: ClipPlayer };
const TICK_MS = 150;
const TEXT_WIDGET = "$$node-text-preview"; // where ComfyUI shows a node's messages

const rootGraph = () => app.rootGraph ?? app.graph;

function addStyle() {
  const link = document.createElement("link");
  link.rel = "stylesheet";
  link.href = new URL("../css/emo.css", import.meta.url).href;
  document.head.append(link);
}

function attach(node) {
  if (node.comfyClass === "FramesToVideo") followFormat(node);
  const Panel = PANELS[node.comfyClass];
  if (!Panel || !node.addDOMWidget) return;
  const panel = new Panel(node);
  node.emoPanel = panel;
  const executed = node.onExecuted;
  node.onExecuted = function (output) {
    executed?.apply(this, arguments);
    panel.executed?.(output);
  };
}

// Values change by typing, links, undo, loading and upstream nodes; looking is simpler and surer than hooks for each.
function tick() {
  if (document.hidden || !rootGraph()) return;
  for (const graph of allGraphs(rootGraph())) {
    for (const node of graph.nodes.filter((each) => each.emoPanel)) {
      mountPanel(node);
      node.emoPanel.tick();
    }
  }
}

async function loadWords() {
  const locale = app.extensionManager.setting.get("Comfy.Locale");
  if (locale === "en") return;
  const answer = await api.fetchApi("/i18n");
  if (answer.ok) setWords((await answer.json())[locale]?.emoPortrait);
}

/** Which node runs now, by its execution id; null when none does. */
function showRunning(id) {
  const running = id === null ? null : nodeByExecutionId(rootGraph(), id);
  for (const graph of allGraphs(rootGraph())) {
    for (const node of graph.nodes.filter((each) => each.emoPanel?.stopBar)) {
      if (node === running) node.emoPanel.stopBar.begin(String(id));
      else node.emoPanel.stopBar.end();
    }
  }
}

/** After ComfyUI has put the English message on the node. */
function showTranslated(nodeId) {
  const widget = nodeByExecutionId(rootGraph(), nodeId)?.widgets?.find((each) => each.name === TEXT_WIDGET);
  const text = widget && translateLines(String(widget.value));
  if (text && text !== widget.value) widget.value = text;
}

app.registerExtension({
  name: "emo.portrait",
  async setup() {
    addStyle();
    await loadWords();
    api.addEventListener("progress_text", ({ detail }) => setTimeout(showTranslated, 0, detail.nodeId));
    setInterval(tick, TICK_MS);
    api.addEventListener("executing", ({ detail }) => showRunning(detail ?? null));
    for (const end of ["execution_error", "execution_interrupted"]) {
      api.addEventListener(end, () => showRunning(null));
    }
    api.addEventListener("emo.cost", ({ detail }) => {
      nodeByExecutionId(rootGraph(), detail.node)?.emoPanel?.stopBar?.receive(detail);
    });
    api.addEventListener("emo.clip", ({ detail }) => {
      nodeByExecutionId(rootGraph(), detail.node)?.emoPanel?.receive?.(detail);
    });
  },
  nodeCreated: attach,
});
