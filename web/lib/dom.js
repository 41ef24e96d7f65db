/*
 * Makes and changes parts of a document. A worker's text is always inserted as text, never as markup, and in a <bdi> so
 * that its direction does not affect its surroundings.
 */
import { copyText } from "./clipboard.js";

/** @typedef {import("./language.js").Language} Language */
/** @typedef {import("./language.js").Values} Values */
/** @typedef {import("./texts.js").TextKey} TextKey */

const COPIED_SHOWN_MS = 2000;
const SVG = "http://www.w3.org/2000/svg";

/** @param {string} id */
export function element(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no #${id}`);
  return found;
}

/**
 * Fills every element that names a text in `data-text`.
 * @param {string} tag The texts' language.
 * @param {Readonly<Record<string, string>>} texts
 */
export function translatePage(tag, texts) {
  document.documentElement.lang = tag;
  for (const target of document.querySelectorAll("[data-text]")) {
    target.textContent = texts[target.getAttribute("data-text") ?? ""] ?? "";
  }
}

/**
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {string} [name] Its class, and its part, by which an embedding page styles it.
 * @param {(Node | string)[]} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function make(tag, name = "", ...children) {
  const made = document.createElement(tag);
  if (name) {
    made.className = name;
    made.part.value = name;
  }
  made.append(...children);
  return made;
}

/**
 * @param {string} tag
 * @param {Record<string, string | number>} attributes
 * @param {(Node | string)[]} children
 */
export function makeSvg(tag, attributes, ...children) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, String(value));
  made.append(...children);
  return made;
}

/** @param {string} text From a worker. @param {string} [name] */
export function isolated(text, name) {
  return make("bdi", name, text);
}

/**
 * The nodes of a text, each value isolated.
 * @param {Language} language
 * @param {TextKey} key
 * @param {Values} [values]
 */
export function nodesOf(language, key, values = {}) {
  return language
    .parts(key, values)
    .map((part) => (typeof part === "string" ? document.createTextNode(part) : isolated(part.value)));
}

/** @param {Node} target @param {string} text */
export function setText(target, text) {
  if (target.textContent !== text) target.textContent = text;
}

/**
 * Changes the document only where it differs, so that a selection survives. An empty target is hidden.
 * @param {HTMLElement} target
 * @param {Node[]} nodes
 */
export function show(target, nodes) {
  target.hidden = nodes.length === 0;
  fill(target, nodes);
}

/** @param {HTMLElement} target @param {Node[]} nodes */
export function fill(target, nodes) {
  const shown = [...target.childNodes];
  if (shown.length === nodes.length && nodes.every((node, index) => shown[index]?.isEqualNode(node))) return;
  target.replaceChildren(...nodes);
}

/** @param {string} name @param {string} text */
export function makeButton(name, text) {
  const button = make("button", `button ${name}`, text);
  button.type = "button";
  return button;
}

/**
 * A busy button keeps the focus, which a disabled one would lose.
 * @param {HTMLElement} button
 * @param {boolean} isBusy
 * @param {string} text
 */
export function setBusy(button, isBusy, text) {
  button.ariaDisabled = isBusy ? "true" : null;
  setText(button, text);
}

/**
 * @param {Record<"copy" | "copied" | "copy_failed", string>} texts
 * @param {() => string} text The text to copy.
 * @param {(answer: string) => void} announce
 */
export function copyButton(texts, text, announce) {
  const button = makeButton("copy", texts.copy);
  button.addEventListener("click", async () => {
    const answer = (await copyText(text())) ? texts.copied : texts.copy_failed;
    button.textContent = answer;
    announce(answer);
    setTimeout(() => (button.textContent = texts.copy), COPIED_SHOWN_MS);
  });
  return button;
}

/** The focused element in another one, also inside a shadow root. @param {HTMLElement} element @returns {Element | null} */
export function focusedIn(element) {
  const { activeElement } = /** @type {Document | ShadowRoot} */ (element.getRootNode());
  return activeElement && element.contains(activeElement) ? activeElement : null;
}
