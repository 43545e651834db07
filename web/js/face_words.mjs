// What FaceRegionMask's panel says of the faces: below the picture, to screen readers, and beside the boxes.
import { t } from "./words.mjs";

const describe = ([x, y, width, height]) => t("{width} × {height} at {x}, {y}", { x, y, width, height });

/** Of the selected face; of the panel's state where there is something else to say. */
export function noteText(panel, face, count) {
  if (panel.values.wrong.length) return t("Not understood: {parts}", { parts: panel.values.wrong.join("; ") });
  if (panel.foreign) return t("Drawn for another picture");
  const text = face?.further >= 0 ? furtherText(panel, face) : firstText(panel, face);
  return count > 1 ? `${face.number}: ${text}` : text;
}

function furtherText(panel, { box }) {
  return panel.values.moreLinked ? t("The box comes from a link") : describe(box);
}

function firstText({ values, override, found, question }, face) {
  if (values.linked) return t("The box comes from a link");
  if (!values.automatic) return describe(face.box);
  if (override) return t("From {input}; a drag here replaces it", { input: override });
  if (face && found) return t("Detected {box}", { box: describe(face.box) });
  if (face) return t("Last run {box}", { box: describe(face.box) });
  if (found) return t("No face found: drag to mark it");
  return question ? t("Looking for the face…") : t("Found by the run, or drag to mark it");
}

export function labelOf({ box: place, number }, count, removable) {
  const box = describe(place);
  if (count < 2) return t("Face box, {box}; arrow keys move it, with Alt they size it", { box });
  const text = t("Face {number} of {count}, {box}; arrow keys move it, with Alt they size it", { number, count, box });
  return removable ? `${text}; ${t("Delete removes it")}` : text;
}

/** Its number among several, and where a box comes from that nobody drew. */
export function tagOf({ values, found }, { number, further }, count) {
  const looked = further < 0 && values.automatic && (found ? t("detected") : t("last run"));
  return [count > 1 && number, looked].filter(Boolean).join(" ");
}
