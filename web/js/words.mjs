// The panels' words and the nodes' messages in the page's language. English stands in the scripts and in Python, and is
// the key to the other languages, which ComfyUI serves from locales/LANGUAGE/main.json.

const PLACE = /%(?:\.\d+)?[sdfg]/g; // of Python's logging

const WARNING = "⚠ "; // stands before a message that is more than a note

let words = {};
let messages = [];

/** The two tables of a language; a text that they lack stays English. */
export function setWords(language = {}) {
  words = language.words ?? {};
  messages = Object.entries(language.messages ?? {}).map(([format, text]) => [pattern(format), text]);
}

function pattern(format) {
  const fixed = format.split(PLACE).map((part) => part.replaceAll("%%", "%").replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`^${fixed.join("(.+?)")}$`);
}

const fill = (text, values) => text.replace(/\{(\w+)\}/g, (place, name) => values[name] ?? place);

/** A text in the page's language, with its {places} filled. */
export const t = (text, values = {}) => fill(words[text] ?? text, values);

/** The lines that a node shows; translations count the values of a message from {1}. */
export const translateLines = (lines) => lines.split("\n").map(translateLine).join("\n");

function translateLine(line) {
  const mark = line.startsWith(WARNING) ? WARNING : "";
  for (const [shape, text] of messages) {
    const found = shape.exec(line.slice(mark.length));
    if (found) return mark + fill(text, found);
  }
  return line;
}
