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
import { addition, checkTexts, keysIn, textsOfOneLanguage } from "./bundle-texts.js";

/** @typedef {import("esbuild").Plugin} Plugin */
/** @typedef {import("./bundle-texts.js").Tag} Tag */
/** @typedef {[name: string, content: string]} File */

/** Every browser that has private fields has all of it, so esbuild leaves the modules' syntax as it is. */
export const TARGET = "es2022";
export const ASSETS = "assets";

/** What pages of users load from the server: the elements, and what one page shares with them. */
const ELEMENTS = ["lib/define.js", "lib/define-list.js"];

/** What the element and the pages load once it is needed. */
const LATER_OF_ELEMENT = ["lib/asking.js", "lib/parts-view.js", "lib/session-log.js"];
const LATER_OF_HOME = ["page/help-keys.js"];
const LATER_OF_PAGE = [
  ...LATER_OF_ELEMENT,
  ...LATER_OF_HOME,
  "page/command-panel.js",
  "page/push-button.js",
  "page/step-keys.js",
  "page/unknown-job.js",
];

/** The modules of the tracker in place of lib/tracker.js. */
const TRACKER = `
  export { checkTimeout } from "../src/check-timeout.js";
  export { ProgressListTracker } from "../src/progress-list-tracker.js";
  export { ProgressTracker } from "../src/progress-tracker.js";`;

/** The same as the elements share it: it puts itself on the page, and knows the server by the address of its file. */
const SERVED_TRACKER = `
  import { checkTimeout } from "../src/check-timeout.js";
  import { ProgressTracker } from "../src/progress-tracker.js";
  export { checkTimeout, ProgressTracker };
  Object.assign(globalThis, { checkTimeout, ProgressTracker });
  ProgressTracker.baseUrl ||= import.meta.url.match(/^(https?:.*)\\/web\\/[^/]+$/)?.[1] ?? "";`;

/** What pages of users import. */
const SERVED_INDEX = `
  import { ProgressListTracker } from "./src/progress-list-tracker.js";
  export { checkTimeout, ProgressTracker } from "./lib/index.js";
  export { ProgressListTracker };
  Object.assign(globalThis, { ProgressListTracker });`;

/** Puts these modules into a bundle, which then contains those that it uses. @param {string} contents @returns {Plugin} */
function trackerModules(contents) {
  return {
    name: "tracker-modules",
    setup({ onLoad, onResolve }) {
      onResolve({ filter: /\/index\.js$/ }, ({ importer }) =>
        importer.endsWith("/lib/list-source.js") ? { path: resolve("src/progress-list-tracker.js") } : null,
      );
      onLoad({ filter: /\/lib\/index\.js$/ }, () => ({ contents, resolveDir: "lib" }));
    },
  };
}

/** A module that exports what these do. @param {string[]} modules @param {string} [begins] It runs at first. */
function together(modules, begins = "") {
  return { contents: [begins, ...modules.map((name) => `export * from "./${name}";`)].join("\n"), resolveDir: "." };
}

/**
 * Loads what a bundle loads later as one file. That of a page imports the page, so that they share no third.
 * @param {string[]} modules
 * @param {string} [begins]
 * @returns {Plugin}
 */
function later(modules, begins) {
  return {
    name: "later",
    setup({ onLoad, onResolve }) {
      onResolve({ filter: /^\.\// }, ({ kind }) =>
        kind === "dynamic-import" ? { path: "later", namespace: "later" } : null,
      );
      onLoad({ filter: /.*/, namespace: "later" }, () => together(modules, begins));
    },
  };
}

/** Leaves modules out, which the browser loads from the server. @param {string[]} modules @returns {Plugin} */
function fromServer(modules) {
  return {
    name: "from-server",
    setup({ onResolve }) {
      onResolve({ filter: /^\.\.?\// }, ({ path, resolveDir }) =>
        modules.includes(relative(".", resolve(resolveDir, path)))
          ? { path: `./${basename(path)}`, external: true }
          : null,
      );
    },
  };
}

/** Entries that are no files, each with its code. @param {Map<string, string>} entries @returns {Plugin} */
function virtualEntries(entries) {
  return {
    name: "virtual-entries",
    setup({ onLoad, onResolve }) {
      onResolve({ filter: /.*/ }, ({ path, kind }) =>
        kind === "entry-point" && entries.has(path) ? { path, namespace: "entry" } : null,
      );
      onLoad({ filter: /.*/, namespace: "entry" }, ({ path }) => ({
        contents: entries.get(path) ?? "",
        resolveDir: ".",
      }));
    },
  };
}

/**
 * Puts a copy of the tracker of lists into index.js, which else would be a third file of the list: it is no part of what
 * the element costs. @type {Plugin}
 */
const ownListTracker = {
  name: "own-list-tracker",
  setup({ onLoad, onResolve }) {
    onResolve({ filter: /\/(progress-list-tracker|list-\w+)\.js$/ }, ({ path, resolveDir, importer, namespace }) =>
      importer === "index.js" || namespace === "copy"
        ? { path: relative(".", resolve(resolveDir, path)), namespace: "copy" }
        : null,
    );
    onLoad({ filter: /.*/, namespace: "copy" }, async ({ path }) => ({
      contents: await readFile(path, "utf8"),
      resolveDir: "src",
    }));
  },
};

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
    logOverride: { "ignored-bare-import": "silent" }, // It counts all the same for what becomes a chunk.
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
  ).filter(([, output]) => output.entryPoint === entryPoints[0]);
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
 * What the files of a bundle would be without texts, each with the keys of those that it names.
 * @param {string[]} entryPoints
 * @param {Plugin[]} plugins
 */
async function drafts(entryPoints, plugins) {
  const { outputFiles, metafile } = await build({
    entryPoints,
    outdir: ASSETS,
    bundle: true,
    splitting: true,
    format: "esm",
    minify: true,
    target: TARGET,
    plugins: [...plugins, textsOfOneLanguage(new Set())],
    metafile: true,
    write: false,
  });
  const files = outputFiles.map(({ path, text }) => {
    const { entryPoint = "", inputs = {} } = metafile.outputs[relative(".", path)] ?? {};
    return { entryPoint, modules: Object.keys(inputs), keys: keysIn(text) };
  });
  return files;
}

/** The keys of several. @param {{keys: Set<string>}[]} files */
function allKeys(files) {
  return new Set(files.flatMap(({ keys }) => [...keys]));
}

/** Those that the second one has not. @param {Set<string>} keys @param {Set<string>} others */
function without(keys, others) {
  return new Set([...keys].filter((key) => !others.has(key)));
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
      .replace('lang="en"', `lang="${language ?? "en"}"`)
      .replace(`web/${page}.js`, `web/${basename(script.main)}`)
      .replace(`web/${page}.css`, `web/${basename(style.main)}`);
    const named = name.replace("index", language ? `${page}.${language}` : page);
    return /** @type {File} */ ([`${ASSETS}/${named}`, html]);
  });
  return [...(await Promise.all(pages)), ...script.files, ...style.files];
}

/**
 * A page with the texts that it names, and variants with those of other languages.
 * @param {string} page
 * @param {string[]} modules What it loads later.
 * @param {Tag[]} [languages]
 * @returns {Promise<File[]>}
 */
async function pageWithTexts(page, modules, languages = []) {
  const entry = `${page}/${page}.js`;
  const laterModules = [entry, ...modules];
  const files = await drafts([entry], [trackerModules(TRACKER), later(laterModules)]);
  const isLater = (/** @type {{entryPoint: string}} */ { entryPoint }) => entryPoint.startsWith("later:");
  const html = { keys: keysIn(await readFile(`${page}/index.html`, "utf8")) };
  const all = allKeys([html, ...files]);
  const keys = allKeys([html, ...files.filter((file) => !isLater(file))]);
  const begins = "await loadTexts(languageFor(navigator.languages));"; // The page is shown once they are there.
  const variants = [undefined, ...languages].map((own) =>
    filesOf(
      page,
      [
        trackerModules(TRACKER),
        textsOfOneLanguage(keys, { ...(own && { own }), all, begins }),
        later(laterModules, addition(without(all, keys), own)),
      ],
      own,
    ),
  );
  return (await Promise.all(variants)).flat();
}

/**
 * The elements, each under the name of its module, and what they share: the modules that more than one of them uses, or
 * that one uses at first and later. A page with both elements loads them once.
 * @returns {Promise<File[]>}
 */
async function elementFiles() {
  const plugins = [trackerModules(SERVED_TRACKER), smallStyles];
  const files = await drafts(ELEMENTS, [...plugins, later(LATER_OF_ELEMENT)]);
  const chunks = files.filter(({ entryPoint }) => !entryPoint);
  const keysOf = (/** @type {string} */ name) => files.find(({ entryPoint }) => entryPoint === name)?.keys ?? new Set();
  const [ofElement = new Set(), ofList = new Set()] = ELEMENTS.map(keysOf);
  const common = new Set([...allKeys(chunks), ...[...ofElement].filter((key) => ofList.has(key))]);
  const all = allKeys(files);
  const first = new Set([...common, ...ofElement, ...ofList]);

  // What each file imports is one chunk.
  const imports = chunks.flatMap(({ modules }) => modules.map((name) => `import "./${name}";`)).join("\n");
  const entries = ELEMENTS.map(async (name) => {
    const code = (await readFile(name, "utf8")).replaceAll('from "./', 'from "./lib/');
    return /** @type {const} */ ([basename(name), imports + addition(without(keysOf(name), common)) + code]);
  });
  const served = new Map([...(await Promise.all(entries)), ["index.js", imports + SERVED_INDEX]]);
  const { files: written } = await bundles([...served.keys()], {
    plugins: [
      virtualEntries(served),
      ownListTracker,
      later(LATER_OF_ELEMENT, imports + addition(without(all, first))),
      ...plugins,
      textsOfOneLanguage(common, { all }),
    ],
    entryNames: "[name]",
  });
  return written;
}

export async function pageFiles() {
  const pages = await Promise.all([
    pageWithTexts("page", LATER_OF_PAGE, ["ja"]),
    pageWithTexts("home", LATER_OF_HOME),
    filesOf("demo", [fromServer([...ELEMENTS, "lib/index.js"])]),
    elementFiles(),
    bundles(["page/push-worker.js"], { entryNames: "[name]", hasMaps: false }).then(({ files }) => files),
  ]);
  const icon = await readFile("page/favicon.svg", "utf8");
  const files = pages.flat();
  checkTexts(files.map(([, content]) => content).join("\n"));
  return [...files, /** @type {File} */ ([`${ASSETS}/favicon.svg`, icon])];
}
