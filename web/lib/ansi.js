/*
 * Text that was written for a terminal, made harmless: colours and weights become names of classes, and everything else
 * that acts on a terminal or on the direction of text is dropped. Pure.
 */

/**
 * A piece of a line, with the classes of its look.
 * @typedef {{text: string, look: string}} Piece
 */

/** Control sequences, control strings, and other escapes [ECMA-48 §5.3 to §5.6]; the parameters of a colour come along. */
const ESCAPES =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what this is about
  /(?:\u001b\[|\u009b)([0-?]*)([ -/]*[@-~])|\u001b[\]P^_X][^\u0007\u001b]*(?:\u0007|\u001b\\)?|\u001b[ -/]*[0-~]?/g;
/** Control characters except tabs, other line ends, and characters that change the direction of text. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: as above
const UNFIT = /[\u0000-\u0008\u000a-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;
const COLOURS = ["black", "red", "green", "yellow", "blue", "magenta", "cyan", "white"];

/**
 * The look of text: a colour, and weights.
 * @typedef {{colour: string, weights: Set<string>}} Look
 */

/** @type {Readonly<Record<number, string>>} */
const WEIGHTS = { 1: "bold", 2: "dim", 3: "italic", 4: "underline" };
/** @type {Readonly<Record<number, string[]>>} */
const ENDS = { 22: ["bold", "dim"], 23: ["italic"], 24: ["underline"] };

/** @param {string} text @returns {Piece[]} None where nothing is left. */
export function piecesOf(text) {
  /** @type {Piece[]} */
  const pieces = [];
  /** @type {Look} */
  const look = { colour: "", weights: new Set() };
  let from = 0;
  for (const match of text.matchAll(ESCAPES)) {
    add(pieces, text.slice(from, match.index), look);
    from = match.index + match[0].length;
    if (match[2] === "m") change(look, match[1] ?? "");
  }
  add(pieces, text.slice(from), look);
  return pieces;
}

/** The text as people read it. @param {string} text */
export function plainText(text) {
  return piecesOf(text)
    .map((piece) => piece.text)
    .join("");
}

/** @param {Piece[]} pieces @param {string} raw @param {Look} look */
function add(pieces, raw, { colour, weights }) {
  const text = raw.replace(UNFIT, "");
  const classes = [colour, ...weights].filter(Boolean).map((name) => `ansi-${name}`);
  if (text) pieces.push({ text, look: classes.join(" ") });
}

/** Changes a look by the parameters of a `Select Graphic Rendition` [ECMA-48 §8.3.117]. @param {Look} look @param {string} parameters */
function change(look, parameters) {
  if (!/^[\d;:]*$/.test(parameters)) return;
  const codes = parameters.split(";").map((code) => Number(code.split(":")[0]));
  for (let at = 0; at < codes.length; at += 1) {
    const code = codes[at] ?? 0;
    if (code === 38 || code === 48) {
      const [kind, index = NaN] = codes.slice(at + 1);
      // Of the larger palettes only the colours that have names are shown.
      if (code === 38) look.colour = kind === 5 ? colourOf(index % 8, index < 16) : "";
      at += kind === 5 ? 2 : 4;
    } else {
      apply(look, code);
    }
  }
}

/** @param {Look} look @param {number} code */
function apply(look, code) {
  const [weight, ended] = [WEIGHTS[code], ENDS[code]];
  if (code === 0) look.weights.clear();
  if (code === 0 || code === 39) look.colour = "";
  if (weight) look.weights.add(weight);
  for (const end of ended ?? []) look.weights.delete(end);
  if ((code >= 30 && code <= 37) || (code >= 90 && code <= 97)) look.colour = colourOf(code % 10, true);
}

/** @param {number} index @param {boolean} isNamed */
function colourOf(index, isNamed) {
  return (isNamed && COLOURS[index]) || "";
}
