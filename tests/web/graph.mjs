// As much of a graph of ComfyUI as walks over its links need.
import assert from "node:assert/strict";

/** A graph with as much of ComfyUI's shape as the walk needs. links: [from, slot, to, slot]. */
export function makeGraph(nodes, links, root) {
  const graph = { nodes, subgraphs: new Map(), links: new Map() };
  graph.rootGraph = root ?? graph;
  graph.getNodeById = (id) => nodes.find((node) => String(node.id) === String(id));
  graph.getLink = (id) => graph.links.get(id);
  links.forEach(([origin_id, origin_slot, target_id, target_slot], id) => {
    graph.links.set(id, { origin_id, origin_slot, target_id, target_slot });
  });
  const linkInto = (node, slot) => {
    const leadsThere = (link) => link.target_id === node.id && link.target_slot === slot;
    return [...graph.links.values()].find(leadsThere) ?? null;
  };
  for (const node of nodes) {
    node.graph = graph;
    node.isInputConnected = (slot) => linkInto(node, slot) !== null;
    node.getInputLink = (slot) => linkInto(node, slot);
    // as in ComfyUI, where a subgraph node answers this about its inside
    if (node.subgraph) node.getInputLink = () => assert.fail("a subgraph node's own links are not asked for");
  }
  return graph;
}
