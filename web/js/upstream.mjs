// Where a picture or a sound comes from: walks the links of an input back to the node that reads the file.

const SUBGRAPH_INPUT = "-10";
const MAX_STEPS = 50;
const FILE_WIDGETS = { LoadImage: "image", LoadImageOutput: "image", LoadAudio: "audio" };
// What EMOExample hands on, by its choice and output.
const EXAMPLES = {
  "one person": ["portrait.png", "speech.wav", "answer.wav"],
  "two people": ["two-people.png", "question.wav", "answer.wav"],
};
export const BYPASSED = 4;
const TRANSPARENT = /\.(png|webp|gif|avif)$/i;

/** "sub/name.png [output]" -> {filename, subfolder, type}. */
export function parseFileName(value) {
  const match = /^(.*?)(?:\s*\[(input|output|temp)\])?$/s.exec(String(value).trim());
  const path = match[1].replaceAll("\\", "/");
  const cut = path.lastIndexOf("/");
  return { filename: path.slice(cut + 1), subfolder: path.slice(0, Math.max(cut, 0)), type: match[2] ?? "input" };
}

/** Every graph of the workflow: the root and the definitions of its subgraphs. */
export function allGraphs(graph) {
  const root = graph.rootGraph ?? graph;
  return [root, ...(root.subgraphs?.values() ?? [])];
}

/** The node of an execution id such as "5" or, inside subgraphs, "1:2"; ids stay strings. */
export function nodeByExecutionId(root, id) {
  let graph = root;
  let node;
  for (const part of String(id).split(":")) {
    node = graph?.getNodeById(part);
    graph = node?.subgraph;
  }
  return node ?? undefined;
}

export function isLinked(node, name) {
  const slot = node.inputs?.findIndex((input) => input.name === name) ?? -1;
  return slot >= 0 && node.isInputConnected(slot);
}

/** A subgraph node's own getInputLink answers about its inside, so its link is looked up in the graph. */
function inputLink(node, slot) {
  if (!node.subgraph) return node.getInputLink(slot);
  const leadsHere = (link) => String(link.target_id) === String(node.id) && link.target_slot === slot;
  return [...node.graph.links.values()].find(leadsHere);
}

/** {node, slot} that feeds an input slot, followed out of and into subgraphs. */
function origin(node, slot) {
  const link = inputLink(node, slot);
  if (!link) return undefined;
  if (String(link.origin_id) === SUBGRAPH_INPUT) {
    const outer = allGraphs(node.graph).flatMap((graph) => graph.nodes).find((each) => each.subgraph === node.graph);
    return outer && origin(outer, link.origin_slot);
  }
  return inside({ node: node.graph.getNodeById(link.origin_id), slot: link.origin_slot });
}

/** Steps into the subgraph of a subgraph node. */
function inside({ node, slot }) {
  const subgraph = node?.subgraph;
  if (!subgraph) return node && { node, slot };
  const link = subgraph.getLink?.(subgraph.outputs[slot]?.linkIds[0]);
  return link && inside({ node: subgraph.getNodeById(link.origin_id), slot: link.origin_slot });
}

/** The input a node hands through unchanged, or -1. */
function passedThrough(node, slot) {
  if (node.type === "Reroute") return 0;
  if (node.mode !== BYPASSED) return -1;
  const type = node.outputs[slot]?.type;
  return node.inputs.findIndex((input) => input.type === type);
}

function exampleFile({ node, slot }) {
  const people = node.widgets?.find((widget) => widget.name === "people")?.value;
  return (EXAMPLES[people] ?? EXAMPLES["one person"])[slot];
}

/**
 * The file behind an input: {example: name}, {file: {filename, subfolder, type}}, {other: true} when only a run
 * can tell, or undefined when nothing is connected.
 */
export function sourceOf(node, inputName) {
  let slot = node.inputs?.findIndex((input) => input.name === inputName) ?? -1;
  for (let step = 0; slot >= 0 && step < MAX_STEPS; step++) {
    const found = origin(node, slot);
    if (!found) return undefined;
    const type = found.node.comfyClass ?? found.node.type;
    if (type === "EMOExample") return { example: exampleFile(found) };
    const value = found.node.widgets?.find((widget) => widget.name === FILE_WIDGETS[type])?.value;
    if (value) return { file: parseFileName(value) };
    node = found.node;
    slot = passedThrough(node, found.slot);
    if (slot < 0) return { other: true };
  }
  return undefined;
}

/**
 * The nodes that feed an input, from the nearest on: over reroutes and bypassed nodes, which are left out, and with
 * `through` also over nodes that change what they hand on, such as a LoRA on a model.
 */
function* nodesBehind(node, inputName, through) {
  let slot = node.inputs?.findIndex((input) => input.name === inputName) ?? -1;
  for (let step = 0; slot >= 0 && step < MAX_STEPS; step++) {
    const found = origin(node, slot);
    if (!found) return;
    node = found.node;
    if (node.mode !== BYPASSED) yield node;
    slot = passedThrough(node, found.slot);
    const type = node.outputs?.[found.slot]?.type;
    if (slot < 0 && through) slot = node.inputs?.findIndex((input) => input.type === type) ?? -1;
  }
}

/** Those of a class. */
export const allBehind = (node, inputName, wanted, through = false) =>
  [...nodesBehind(node, inputName, through)].filter((each) => (each.comfyClass ?? each.type) === wanted);

/** The nearest of a class. */
export const nodeBehind = (...asked) => allBehind(...asked)[0];

/** The route of this server that answers with a source's bytes. */
export function sourcePath(source) {
  if (source?.example) return `/emo_portrait/example/${source.example}`;
  return source?.file && `/view?${new URLSearchParams(source.file)}`;
}

/**
 * The route of a source's picture as core's loaders read it: they drop the transparency of cut-outs, and what was
 * below shows. Only of the kinds that can be transparent, for this route makes the server code the picture anew.
 */
export function picturePath(source) {
  const path = sourcePath(source);
  const opaque = source?.file && TRANSPARENT.test(source.file.filename);
  return opaque ? `${path}&preview=jpeg;90&channel=rgb` : path;
}

/** The route that looks for the largest face of a picture; undefined for one that only a run can tell. */
export function facePath(source, faceIndex) {
  const query = source?.example ? { example: source.example } : source?.file;
  return query && `/emo_portrait/face?${new URLSearchParams({ ...query, face_index: faceIndex })}`;
}
