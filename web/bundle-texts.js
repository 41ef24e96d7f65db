/* The texts in a bundle: those that its code names, of one language. */
import { languageFor, partsOf, TEXTS } from "./lib/texts.js";

/** @typedef {import("esbuild").Plugin} Plugin */
/** @typedef {keyof typeof TEXTS} Tag */

/**
 * The keys of the texts that code names: a whole key, one without its plural, or the beginning or the end of one.
 * @param {string} code
 * @returns {Set<string>}
 */
export function keysIn(code) {
  const words = new Set(code.match(/\w+/g));
  const starts = [...code.matchAll(/(\w{3,}_)\$\{/g)].map(([, start = ""]) => start);
  const ends = [...code.matchAll(/\$\{\w+\}(_(?!one|other)\w+)/g)].map(([, end = ""]) => end);
  const isNamed = (/** @type {string} */ key) =>
    words.has(key.replace(/_(one|other)$/, "")) ||
    words.has(key) ||
    starts.some((start) => key.startsWith(start)) ||
    ends.some((end) => key.endsWith(end));
  return new Set(Object.keys(TEXTS.en).filter(isNamed));
}

/** The texts of a language that have these keys, as JSON. @param {Tag} tag @param {Set<string>} keys */
function textsJson(tag, keys) {
  return JSON.stringify(Object.fromEntries(Object.entries(TEXTS[tag]).filter(([key]) => keys.has(key))));
}

/**
 * Puts texts of one language into a bundle, and all of another into a file of their own. Without that, as without a
 * network, the bundle has its own texts alone.
 * @param {Set<string>} keys
 * @param {{own?: Tag, all?: Set<string>, begins?: string}} [options] `all` also has what files add that are loaded
 *   later; `begins` runs once the texts are there.
 * @returns {Plugin}
 */
export function textsOfOneLanguage(keys, { own = "en", all = keys, begins = "" } = {}) {
  const others = /** @type {Tag[]} */ (Object.keys(TEXTS)).filter((tag) => tag !== own);
  const contents = `
    ${languageFor}
    ${partsOf}
    export { languageFor, partsOf };
    export const TEXTS = { ${own}: ${textsJson(own, keys)} };
    const loads = { ${others.map((tag) => `${tag}: () => import("texts-${tag}")`)} };
    export async function loadTexts(tag) {
      TEXTS[tag] ??= (await loads[tag]().catch(() => null))?.default ?? TEXTS.${own};
    }
    export const addTexts = (texts) => Object.assign(TEXTS.${own}, texts);
    ${begins}`;
  return {
    name: "texts",
    setup({ onLoad, onResolve }) {
      onLoad({ filter: /\/lib\/texts\.js$/ }, () => ({ contents }));
      onResolve({ filter: /^texts-\w+$/ }, ({ path }) => ({ path, namespace: "texts" }));
      onLoad({ filter: /.*/, namespace: "texts" }, ({ path }) => ({
        contents: `export default ${others.filter((tag) => path === `texts-${tag}`).map((tag) => textsJson(tag, all))};`,
      }));
    },
  };
}

/** Adds to the texts of a bundle those that this file alone names. @param {Set<string>} keys @param {Tag} [own] */
export function addition(keys, own = "en") {
  return `import { addTexts } from "./lib/texts.js"; addTexts(${textsJson(own, keys)});`;
}

/** Fails where a text is in no bundle. @param {string} code Of all bundles. */
export function checkTexts(code) {
  for (const key of Object.keys(TEXTS.en)) {
    if (!new RegExp(`[{,]"?${key}"?:`).test(code)) throw new Error(`no bundle names the text ${key}`);
  }
}
