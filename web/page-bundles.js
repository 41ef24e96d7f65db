/*
 * The files of assets/: the HTML of the pages, minified bundles of the pages and the elements, and an icon for pages that
 * have none. A bundle has a hash in its name, so that browsers may keep it for ever; those that pages of users name are
 * small, and import such ones. The script of a page is one file: with a third for what two pages share, each would load
 * 5 % more, as gzip compresses two small files less than one.
 */
import { readdir, readFile } from "node:fs/promises";
import { basename, relative, resolve } from "node:path";
import { build, transform } from "esbuild";
import { minify } from "terser";
import { LIST_TEXTS } from "./lib/list-texts.js";
import { languageFor, partsOf, TEXTS } from "./lib/texts.js";

/** @typedef {import("esbuild").Plugin} Plugin */
/** @typedef {[name: string, content: string]} File */
/** @typedef {keyof typeof TEXTS} Tag */

/** Every browser that has private fields has all of it, so esbuild leaves the modules' syntax as it is. */
export const TARGET = "es2022";
export const ASSETS = "assets";

/** What pages of users load from the server: the elements, and what one page shares with them. */
const ELEMENTS = ["lib/define.js", "lib/define-list.js"];
const INDEX = "lib/index.js";

/** What the element, and the page of a session, load once it is needed. */
const LATER_OF_ELEMENT = ["lib/asking.js", "lib/parts-view.js", "lib/session-log.js"];
const LATER_OF_PAGE = [...LATER_OF_ELEMENT, "page/command-panel.js", "page/unknown-job.js"];

/** The modules of the tracker in place of lib/tracker.js. */
const TRACKER = `
  import { checkTimeout } from "../src/check-timeout.js";
  import { ProgressListTracker } from "../src/progress-list-tracker.js";
  import { ProgressTracker } from "../src/progress-tracker.js";
  export { checkTimeout, ProgressListTracker, ProgressTracker };`;

/** The same in a file of the server, whose address it knows; as lib/index.js does, it puts them on the page. */
const SERVED_TRACKER = `${TRACKER}
  Object.assign(globalThis, { checkTimeout, ProgressListTracker, ProgressTracker });
  ProgressTracker.baseUrl ||= import.meta.url.match(/^(https?:.*)\\/web\\/[^/]+$/)?.[1] ?? "";`;

/** Puts these modules into a bundle, which then contains those that it uses. @param {string} contents @returns {Plugin} */
function trackerModules(contents) {
  return {
    name: "tracker-modules",
    setup({ onLoad }) {
      onLoad({ filter: /\/lib\/index\.js$/ }, () => ({ contents, resolveDir: "lib" }));
    },
  };
}

/**
 * Puts the texts of one language into a bundle, and those of another into a file of their own. Without them, as without
 * a network, it has its own texts alone.
 * @param {(key: string) => boolean} isUsed
 * @param {{own?: Tag, begins?: string}} [options] `begins` runs once the texts are there.
 * @returns {Plugin}
 */
function textsOfOneLanguage(isUsed, { own = "en", begins = "" } = {}) {
  /** @param {Readonly<Record<string, string>> | undefined} texts */
  const used = (texts) =>
    JSON.stringify(Object.fromEntries(Object.entries(texts ?? {}).filter(([key]) => isUsed(key))));
  const { [own]: texts, ...others } = TEXTS;
  const contents = `
    ${languageFor}
    ${partsOf}
    export { languageFor, partsOf };
    export const TEXTS = { ${own}: ${used(texts)} };
    const loads = { ${Object.keys(others).map((other) => `${other}: () => import("texts-${other}")`)} };
    export async function loadTexts(tag) {
      TEXTS[tag] ??= (await loads[tag]().catch(() => null))?.default ?? TEXTS.${own};
    }
    ${begins}`;
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

/** The texts of a page, which is shown once they are there. @param {(key: string) => boolean} isUsed @param {Tag} [own] */
function textsOfPage(isUsed, own) {
  return textsOfOneLanguage(isUsed, {
    ...(own && { own }),
    begins: "await loadTexts(languageFor(navigator.languages));",
  });
}

/** A module that exports what these do, under a name of its own. @param {string[]} modules */
function together(modules) {
  return { contents: modules.map((name) => `export * from "./${name}";`).join("\n"), resolveDir: "." };
}

/**
 * Loads what a bundle loads later as one file. That of a page imports the page, so that they share no third.
 * @param {string[]} modules
 * @returns {Plugin}
 */
function later(modules) {
  return {
    name: "later",
    setup({ onLoad, onResolve }) {
      onResolve({ filter: /^\.\// }, ({ kind }) =>
        kind === "dynamic-import" ? { path: "later", namespace: "later" } : null,
      );
      onLoad({ filter: /.*/, namespace: "later" }, () => together(modules));
    },
  };
}

/** Leaves modules out, which the browser loads from these files. @param {Map<string, string>} files @returns {Plugin} */
function fromServer(files) {
  return {
    name: "from-server",
    setup({ onResolve }) {
      onResolve({ filter: /^\.\.?\// }, ({ path, resolveDir }) => {
        const file = files.get(relative(".", resolve(resolveDir, path)));
        return file ? { path: `./${file}`, external: true } : null;
      });
    },
  };
}

/** Makes the style sheets small that are modules. @type {Plugin} */
const smallStyles = {
  name: "small-styles",
  setup({ onLoad }) {
    onLoad({ filter: /\/lib\/(list-)?styles\.js$/ }, async ({ path }) => {
      const sheets = Object.entries(/** @type {Record<string, string>} */ (await import(path))).map(
        async ([name, css]) => {
          const { code } = await transform(css, { loader: "css", minify: true, charset: "utf8" });
          return `export const ${name} = ${JSON.stringify(code.trim())};`;
        },
      );
      return { contents: (await Promise.all(sheets)).join("\n") };
    });
  },
};

/**
 * Minified bundles.
 * @param {string[]} entryPoints
 * @param {object} [options]
 * @param {Plugin[]} [options.plugins]
 * @param {string} [options.entryNames]
 * @param {boolean} [options.hasMaps]
 * @returns {Promise<{main: string, files: File[]}>} `main` is the name of the file that the HTML loads.
 */
async function bundles(entryPoints, { plugins = [], entryNames = "[name]-[hash]", hasMaps = true } = {}) {
  const { outputFiles, metafile } = await build({
    entryPoints,
    entryNames,
    chunkNames: "[name]-[hash]",
    outdir: ASSETS,
    bundle: true,
    splitting: true,
    format: "esm",
    minify: true,
    sourcemap: hasMaps && "external",
    charset: "utf8",
    target: TARGET,
    plugins,
    metafile: true,
    write: false,
  });
  const texts = new Map(outputFiles.map(({ path, text }) => [relative(".", path), text]));
  const [[entry = "", { imports, inputs }] = ["", { imports: [], inputs: {} }]] = Object.entries(
    metafile.outputs,
  ).filter(([, output]) => output.entryPoint?.endsWith(entryPoints[0] ?? ""));
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
 * @param {string | undefined} content The source map.
 * @returns {Promise<File[]>}
 */
async function minified(name, text, content) {
  if (name.endsWith(".css")) return [[name, text]];
  const sourceMap = content ? { content, includeSources: true, url: `${basename(name)}.map` } : false;
  const { code = "", map } = await minify(text, { module: true, ecma: 2020, sourceMap });
  return [[name, code], ...(map ? [/** @type {File} */ ([`${name}.map`, String(map)])] : [])];
}

/**
 * The HTML files of a page, and its bundles.
 * @param {string} page
 * @param {Plugin[]} plugins
 * @param {Tag} [language] Of another variant of the page, whose maps would be those of the first.
 * @returns {Promise<File[]>}
 */
async function filesOf(page, plugins, language) {
  const script = await bundles([`${page}/${page}.js`], { plugins, hasMaps: !language });
  const style = await bundles([`${page}/${page}.css`], { hasMaps: false });
  const names = language ? ["index.html"] : (await readdir(page)).filter((name) => name.endsWith(".html"));
  const pages = names.map(async (name) => {
    const html = (await readFile(`${page}/${name}`, "utf8"))
      .replace(/<!--.*?-->\n/gs, "")
      .replace(`web/${page}.js`, `web/${basename(script.main)}`)
      .replace(`web/${page}.css`, `web/${basename(style.main)}`);
    const named = name.replace("index", language ? `${page}.${language}` : page);
    return /** @type {File} */ ([`${ASSETS}/${named}`, html]);
  });
  return [...(await Promise.all(pages)), ...script.files, ...style.files];
}

/**
 * The elements, each under the name of its module, and what they share.
 * @returns {Promise<File[]>}
 */
async function elementFiles() {
  const plugins = [
    trackerModules(SERVED_TRACKER),
    textsOfOneLanguage(() => true),
    smallStyles,
    later(LATER_OF_ELEMENT),
  ];
  const { modules, imported } = await sharedModules(ELEMENTS, plugins);
  const common = await bundles(["elements.js"], { plugins: [virtualEntry("elements.js", imported), ...plugins] });
  const file = basename(common.main);
  const shared = fromServer(new Map(modules.map((name) => [name, file])));
  const elements = await bundles(ELEMENTS, { plugins: [...plugins, shared], entryNames: "[name]" });
  const index = `export{ProgressListTracker,ProgressTracker,checkTimeout}from"./${file}";\n`;
  return [...common.files, ...elements.files, [`${ASSETS}/${basename(INDEX)}`, index]];
}

/** The entry that exports what these modules do. @param {string} name @param {string[]} modules @returns {Plugin} */
function virtualEntry(name, modules) {
  return {
    name: "entry",
    setup({ onLoad, onResolve }) {
      onResolve({ filter: /.*/ }, ({ path, kind }) =>
        kind === "entry-point" && path === name ? { path, namespace: "entry" } : null,
      );
      onLoad({ filter: /.*/, namespace: "entry" }, () => together(modules));
    },
  };
}

/**
 * The modules that more than one of these entries use, or that one uses at first and later. In one file of their own, a
 * page with both elements loads them once.
 * @param {string[]} entryPoints
 * @param {Plugin[]} plugins
 * @returns {Promise<{modules: string[], imported: string[]}>} All of them, and those that others import.
 */
async function sharedModules(entryPoints, plugins) {
  const { metafile } = await build({
    entryPoints,
    plugins,
    outdir: ASSETS,
    bundle: true,
    splitting: true,
    format: "esm",
    target: TARGET,
    metafile: true,
    write: false,
  });
  const { inputs, outputs } = metafile;
  const chunks = Object.values(outputs).filter(({ entryPoint }) => !entryPoint);
  const modules = [...new Set(chunks.flatMap((chunk) => Object.keys(chunk.inputs)))];
  const others = Object.entries(inputs).filter(([name]) => !modules.includes(name));
  const imported = new Set(others.flatMap(([, { imports }]) => imports.map(({ path }) => path)));
  return { modules, imported: modules.filter((name) => imported.has(name)) };
}

export async function pageFiles() {
  const isOfSessions = (/** @type {string} */ key) => !(key in LIST_TEXTS.en);
  const ofPage = [trackerModules(TRACKER), later(["page/page.js", ...LATER_OF_PAGE])];
  const served = [...ELEMENTS, INDEX].map((name) => /** @type {const} */ ([name, basename(name)]));
  const pages = await Promise.all([
    filesOf("page", [...ofPage, textsOfPage(isOfSessions)]),
    filesOf("page", [...ofPage, textsOfPage(isOfSessions, "ja")], "ja"),
    filesOf("home", [trackerModules(TRACKER), textsOfPage(() => true)]),
    filesOf("demo", [fromServer(new Map(served))]),
    elementFiles(),
  ]);
  const icon = await readFile("page/favicon.svg", "utf8");
  return [...pages.flat(), /** @type {File} */ ([`${ASSETS}/favicon.svg`, icon])];
}
