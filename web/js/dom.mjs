// Small helpers shared by the panels: elements, ordinary widgets, undo.
import { app } from "../../../scripts/app.js";

const MARGIN = 6; // pixels around a panel
const SVG = "http://www.w3.org/2000/svg";

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

export const html = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);
export const svg = (tag, attributes, ...children) => fill(document.createElementNS(SVG, tag), attributes, children);

/** A button with a name for screen readers and a tooltip; `face` is text or an icon path in a 16x16 box. */
export function button(label, face, onClick) {
  const element = html("button", { type: "button", "aria-label": label, title: label });
  setFace(element, label, face);
  element.addEventListener("click", onClick);
  return element;
}

export function setFace(element, label, face) {
  element.setAttribute("aria-label", label);
  element.title = label;
  const icon = () => svg("svg", { viewBox: "0 0 16 16", "aria-hidden": "true" }, svg("path", { d: face }));
  element.replaceChildren(face.startsWith("M") ? icon() : face);
}

/** Keeps presses on a control away from the node under it (Vue nodes would start dragging the node). */
export function ownsPointer(element) {
  for (const type of ["pointerdown", "dblclick", "click"]) {
    element.addEventListener(type, (event) => event.button === 0 && event.stopPropagation());
  }
  return element;
}

/** Adds a panel under a node's ordinary widgets. It holds no value: nothing goes into the prompt or the workflow. */
export function addPanel(node, name, element, minHeight) {
  element.classList.add("emo-panel");
  const size = { margin: MARGIN, getMinHeight: () => minHeight() + 2 * MARGIN };
  const options = { serialize: false, hideOnZoom: false, hideInPanel: true, ...size };
  const widget = node.addDOMWidget(name, name, element, options);
  widget.serialize = false;
  node.emoElement = element;
}

export const nodeKey = (node) => `${node.graph?.id} ${node.id}`;

/** Undo and loading rebuild the nodes, but Vue nodes go on showing the element of the former node with the same id. */
export function mountPanel(node) {
  const element = node.emoElement;
  element.dataset.node = nodeKey(node);
  if (element.isConnected) return;
  const former = document.querySelector(`.emo-panel[data-node="${CSS.escape(element.dataset.node)}"]`);
  former?.replaceWith(element);
}

/** Makes a node at least wide enough for its panel, and tall enough when the panel grew. */
export function growNode(node, width = 0) {
  const [, height] = node.computeSize();
  node.setSize([Math.max(node.size[0], width), Math.max(node.size[1], height)]);
}

const widgetOf = (node, name) => node.widgets?.find((widget) => widget.name === name);

export const getValue = (node, name) => widgetOf(node, name)?.value;

export function setValue(node, name, value) {
  const widget = widgetOf(node, name);
  if (!widget || widget.value === value) return;
  widget.value = value;
  widget.callback?.(value, app.canvas, node);
  node.setDirtyCanvas?.(true, true);
}

/** Makes what was just changed one step of undo. */
export function commit() {
  const tracker = app.extensionManager?.workflow?.activeWorkflow?.changeTracker;
  (tracker?.captureCanvasState ?? tracker?.checkState)?.call(tracker);
}
