// How the page shows what EMO Frames to Video wrote: in its player, or as a picture. Without a word it goes by what the
// node showed before, and frontend 1.35 takes what a node without a video input gives for a picture.

const PLAYED = ["mp4 (H.264)", "webm (VP9)"];
const PLAYER = "video-preview"; // the page's own widget

function show(node, plays) {
  node.previewMediaType = plays ? "video" : "image";
  if (plays) node.imgs = undefined;
  else removePlayer(node);
}

function removePlayer(node) {
  const index = node.widgets?.findIndex((each) => each.name === PLAYER) ?? -1;
  if (index >= 0) {
    node.widgets[index].onRemove?.();
    node.widgets.splice(index, 1);
  }
  node.videoContainer = undefined;
}

function before(node, name, act) {
  const original = node[name];
  node[name] = function (given) {
    act(given);
    return original?.apply(this, arguments);
  };
}

/** A new node, one out of a workflow, whose results may come back with it, and one that has run. */
export function followFormat(node) {
  show(node, true);
  before(node, "onConfigure", () => {
    const format = node.widgets?.find((each) => each.name === "format")?.value;
    show(node, format === undefined || PLAYED.includes(format));
  });
  before(node, "onExecuted", (output) => show(node, Boolean(output?.animated?.some(Boolean))));
}
