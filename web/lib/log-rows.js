/* The rows of a log: one for each line, and for each gap. A worker's text is inserted as text, never as markup. */
import { piecesOf } from "./ansi.js";
import { isolated, make, nodesOf } from "./dom.js";
import { matchesIn } from "./log-lines.js";

/** @typedef {import("./language.js").Language} Language */
/** @typedef {import("./log-lines.js").Entry} Entry */

/** @param {Entry} entry @param {Language} language @param {string} words That are searched for; "" is none. */
export function rowsOf(entry, language, words) {
  const row = make("div", "log-line");
  row.dataset.level = entry.level;
  row.dataset.n = String(entry.n);
  row.append(make("span", "log-time", language.time(entry.at_ms)), " ");
  if (entry.level !== "info") row.append(make("span", "log-level", language.text(`level_${entry.level}`)), " ");
  const text = isolated("", "log-text");
  text.append(...textNodes(entry, words));
  row.append(text);
  return entry.missed && !words ? [gap(entry, language), row] : [row];
}

/** @param {Entry} entry @param {Language} language */
function gap({ n, missed }, language) {
  const row = make("div", "log-gap", ...nodesOf(language, language.plural("log_missed", missed), { count: missed }));
  row.dataset.n = String(n);
  return row;
}

/** @param {Entry} entry @param {string} words */
function textNodes({ text, plain }, words) {
  const ranges = matchesIn(plain, words);
  /** @type {Node[]} */
  const nodes = [];
  let at = 0;
  for (const piece of piecesOf(text)) {
    const parts = cut(piece.text, at, ranges).map(({ text, isFound }) => (isFound ? make("mark", "", text) : text));
    if (piece.look) nodes.push(make("span", piece.look, ...parts));
    else nodes.push(...parts.map((part) => (typeof part === "string" ? document.createTextNode(part) : part)));
    at += piece.text.length;
  }
  return nodes;
}

/**
 * Cuts a piece of a line at what was found in the line.
 * @param {string} text
 * @param {number} start Of the piece, in the line.
 * @param {readonly [number, number][]} ranges In the line.
 */
function cut(text, start, ranges) {
  const parts = [];
  let done = 0;
  for (const [from, to] of ranges) {
    const [begin, end] = [Math.max(from - start, done), Math.min(to - start, text.length)];
    if (begin >= end) continue;
    if (begin > done) parts.push({ text: text.slice(done, begin), isFound: false });
    parts.push({ text: text.slice(begin, end), isFound: true });
    done = end;
  }
  if (done < text.length) parts.push({ text: text.slice(done), isFound: false });
  return parts;
}
