// EMO in the browser: the face box, the head speed curve and the growing preview. Every value lives in ordinary
// widgets, so a workflow works the same without this file.
import { app } from "../../../scripts/app.js";
import { api } from "../../../scripts/api.js";
import { ChunkPlayer } from "./chunk_player.mjs";
import { mountPanel } from "./dom.mjs";
import { FaceBox } from "./face_box.mjs";
import { SpeedCurve } from "./speed_curve.mjs";
import { allGraphs, nodeByExecutionId } from "./upstream.mjs";

const PANELS = { FaceRegionMask: FaceBox, EMOHeadSpeed: SpeedCurve, EMOSampler: ChunkPlayer };
const TICK_MS = 150;

const rootGraph = () => app.rootGraph ?? app.graph;

function addStyle() {
  const link = document.createElement("link");
  link.rel = "stylesheet";
  link.href = new URL("../css/emo.css", import.meta.url).href;
  document.head.append(link);
}

function attach(node) {
  // Frontend 1.35 shows what a node without a video input gives as a picture.
  if (node.comfyClass === "FramesToVideo") node.previewMediaType = "video";
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

app.registerExtension({
  name: "emo.portrait",
  setup() {
    addStyle();
    setInterval(tick, TICK_MS);
    api.addEventListener("emo.chunk", ({ detail }) => {
      nodeByExecutionId(rootGraph(), detail.node)?.emoPanel?.receive?.(detail);
    });
  },
  nodeCreated: attach,
});
