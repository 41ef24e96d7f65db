/*
 * The files of assets/: the HTML of the pages, their minified bundles, and an icon for pages that have none. A bundle
 * has a hash in its name, so that browsers may keep it for ever. The script of a page is one file: with a third for what
 * two pages share, each would load 5 % more, as gzip compresses two small files less than one.
 */
import { readdir, readFile } from "node:fs/promises";
import { basename, relative } from "node:path";
import { build } from "esbuild";
import { minify } from "terser";
import { LIST_TEXTS } from "./lib/list-texts.js";
import { languageFor, partsOf, TEXTS } from "./lib/texts.js";

/** @typedef {import("esbuild").Plugin} Plugin */
/** @typedef {[name: string, content: string]} File */

/** Every browser that has private fields has all of it, so esbuild leaves the modules' syntax as it is. */
export const TARGET = "es2022";
export const ASSETS = "assets";

/** What the page of a session loads once it is needed. */
const LATER = ["lib/asking.js", "lib/parts-view.js", "lib/session-log.js", "page/command-panel.js"];

/** The modules of the tracker in place of lib/tracker.js. */
const TRACKER = `
  export { checkTimeout } from "../src/check-timeout.js";
  export { ProgressListTracker } from "../src/progress-list-tracker.js";
  export { ProgressTracker } from "../src/progress-tracker.js";`;

/** Puts the modules of the tracker into a page, which then contains those that it uses. @type {Plugin} */
const trackerModules = {
  name: "tracker-modules",
  setup({ onLoad }) {
    onLoad({ filter: /\/lib\/index\.js$/ }, () => ({ contents: TRACKER, resolveDir: "lib" }));
  },
};

/**
 * Puts the English texts into a page, and those of another language into a file of their own.
 * @param {(key: string) => boolean} isUsed
 * @returns {Plugin}
 */
function textsOfOneLanguage(isUsed) {
  /** @param {Readonly<Record<string, string>> | undefined} texts */
  const used = (texts) =>
    JSON.stringify(Object.fromEntries(Object.entries(texts ?? {}).filter(([key]) => isUsed(key))));
  const { en, ...others } = TEXTS;
  const contents = `
    ${languageFor}
    ${partsOf}
    export { languageFor, partsOf };
    export const TEXTS = { en: ${used(en)} };
    const tag = languageFor(navigator.languages);
    const loads = { ${Object.keys(others).map((other) => `${other}: () => import("texts-${other}")`)} };
    if (loads[tag]) TEXTS[tag] = (await loads[tag]()).default;`;
  return {
    name: "texts",
    setup({ onLoad, onResolve }) {
      onLoad({ filter: /\/lib\/texts\.js$/ }, () => ({ contents }));
      onResolve({ filter: /^texts-\w+$/ }, ({ path }) => ({ path, namespace: "texts" }));
      onLoad({ filter: /.*/, namespace: "texts" }, ({ path }) => ({
        contents: `export default ${used(Object.entries(others).find(([tag]) => path === `texts-${tag}`)?.[1])};`,
      }));
    },
  };
}

/** Loads what a page loads later as one file; it imports the page, so that they share no third. @type {Plugin} */
const later = {
  name: "later",
  setup({ onLoad, onResolve }) {
    const contents = ["page/page.js", ...LATER].map((name) => `export * from "./${name}";`).join("\n");
    onResolve({ filter: /^\.\// }, ({ kind }) =>
      kind === "dynamic-import" ? { path: "later", namespace: "later" } : null,
    );
    onLoad({ filter: /.*/, namespace: "later" }, () => ({ contents, resolveDir: "." }));
  },
};

/** Leaves the modules of lib/ out: the demo loads them from its server, as the pages of users do. @type {Plugin} */
const fromServer = {
  name: "from-server",
  setup({ onResolve }) {
    onResolve({ filter: /\/lib\/[\w-]+\.js$/ }, ({ path }) => ({ path: `./${basename(path)}`, external: true }));
  },
};

/**
 * Minified bundles.
 * @param {string} entryPoint
 * @param {Plugin[]} [plugins]
 * @returns {Promise<{main: string, files: File[]}>} `main` is the name of the file that the HTML loads.
 */
async function bundles(entryPoint, plugins = []) {
  const { outputFiles, metafile } = await build({
    entryPoints: [entryPoint],
    entryNames: "[name]-[hash]",
    chunkNames: "[name]-[hash]",
    outdir: ASSETS,
    bundle: true,
    splitting: !plugins.includes(fromServer),
    format: "esm",
    minify: true,
    sourcemap: entryPoint.endsWith(".js") && "external",
    charset: "utf8",
    target: TARGET,
    plugins,
    metafile: true,
    write: false,
  });
  const texts = new Map(outputFiles.map(({ path, text }) => [relative(".", path), text]));
  const [[entry = "", { imports, inputs }] = ["", { imports: [], inputs: {} }]] = Object.entries(
    metafile.outputs,
  ).filter(([, output]) => output.entryPoint === entryPoint);
  // Where other files import the page, it is a chunk, and the entry does nothing but import that.
  const [chunk] = Object.keys(inputs).length ? [] : imports;
  if (chunk) for (const name of [entry, `${entry}.map`]) texts.delete(name);
  const files = [...texts].filter(([name]) => !name.endsWith(".map"));
  const written = files.map(([name, text]) => minified(name, text, texts.get(`${name}.map`)));
  return { main: chunk?.path ?? entry, files: (await Promise.all(written)).flat() };
}

/**
 * A bundle and its source map. terser makes it 4 % smaller than esbuild does alone.
 * @param {string} name
 * @param {string} text
 * @param {string | undefined} content The source map; none for a style sheet.
 * @returns {Promise<File[]>}
 */
async function minified(name, text, content) {
  if (!content) return [[name, text]];
  const url = `${basename(name)}.map`;
  const { code = "", map } = await minify(text, {
    module: true,
    ecma: 2020,
    sourceMap: { content, includeSources: true, url },
  });
  return [
    [name, code],
    [`${name}.map`, String(map)],
  ];
}

/**
 * The HTML files of a page, and its bundles.
 * @param {string} page
 * @param {Plugin[]} plugins
 * @returns {Promise<File[]>}
 */
async function filesOf(page, plugins) {
  const script = await bundles(`${page}/${page}.js`, plugins);
  const style = await bundles(`${page}/${page}.css`);
  const names = (await readdir(page)).filter((name) => name.endsWith(".html"));
  const pages = names.map(async (name) => {
    const html = (await readFile(`${page}/${name}`, "utf8"))
      .replace(/<!--.*?-->\n/gs, "")
      .replace(`web/${page}.js`, `web/${basename(script.main)}`)
      .replace(`web/${page}.css`, `web/${basename(style.main)}`);
    return /** @type {File} */ ([`${ASSETS}/${name.replace("index", page)}`, html]);
  });
  return [...(await Promise.all(pages)), ...script.files, ...style.files];
}

export async function pageFiles() {
  const isOfSessions = (/** @type {string} */ key) => !(key in LIST_TEXTS.en);
  const pages = await Promise.all([
    filesOf("page", [trackerModules, textsOfOneLanguage(isOfSessions), later]),
    filesOf("home", [trackerModules, textsOfOneLanguage(() => true)]),
    filesOf("demo", [fromServer]),
  ]);
  const icon = await readFile("page/favicon.svg", "utf8");
  return [...pages.flat(), /** @type {File} */ ([`${ASSETS}/favicon.svg`, icon])];
}
