// What is drawn over the portrait: a box for each face, the shade around them, handles and numbers.
import { HANDLES, handlePoint } from "./box.mjs";
import { svg } from "./dom.mjs";

const CURSORS = { n: "ns", s: "ns", e: "ew", w: "ew", nw: "nwse", se: "nwse", ne: "nesw", sw: "nesw" };
const HANDLE_PIXELS = 9;
const TAG_PIXELS = 12;
let shades = 0;

/** Of `faces`, each {box, label, tag, dashed, fixed}, in a picture of `size`, shown at `scale`; one is selected. */
export function faceShapes(faces, selected, size, scale) {
  const boxes = faces.map((face, index) => frame(face, index, faces.length > 1 && index === selected));
  const tags = faces.filter((face) => face.tag).map((face) => tag(face, scale));
  const chosen = faces[selected];
  return [shade(faces, size), ...boxes, ...tags, ...(chosen && !chosen.fixed ? handles(chosen.box, scale) : [])];
}

/** Everything but the faces, which a mask spares: boxes may overlap. */
function shade(faces, [width, height]) {
  const id = `emo-shade-${++shades}`;
  const holes = faces.map(({ box: [x, y, w, h] }) => svg("rect", { x, y, width: w, height: h, fill: "#000" }));
  const mask = svg("mask", { id, maskUnits: "userSpaceOnUse", x: 0, y: 0, width, height });
  mask.append(svg("rect", { width, height, fill: "#fff" }), ...holes);
  return svg("g", {}, mask, svg("rect", { class: "emo-shade", width, height, mask: `url(#${id})` }));
}

function frame({ box: [x, y, width, height], label, dashed }, index, chosen) {
  const look = ["emo-box", dashed && "emo-dashed", chosen && "emo-chosen"].filter(Boolean).join(" ");
  const access = { tabindex: 0, role: "application", "aria-label": label };
  return svg("rect", { class: look, x, y, width, height, ...access, "data-handle": "move", "data-face": index });
}

function handles(box, scale) {
  const side = HANDLE_PIXELS / scale;
  return HANDLES.map((handle) => {
    const [x, y] = handlePoint(box, handle);
    const place = { x: x - side / 2, y: y - side / 2, width: side, height: side };
    return svg("rect", { class: "emo-handle", "data-handle": handle, style: `cursor:${CURSORS[handle]}-resize`, ...place });
  });
}

/** Above the box, or inside of it at the picture's upper edge. */
function tag({ box: [x, y], tag: text }, scale) {
  const above = y > 16 / scale;
  const at = { x: x + (above ? 0 : 6 / scale), y: above ? y - 6 / scale : y + 16 / scale };
  const font = { class: "emo-tag", "font-size": TAG_PIXELS / scale, "stroke-width": 3 / scale };
  const element = svg("text", { ...font, ...at });
  element.textContent = text;
  return element;
}
