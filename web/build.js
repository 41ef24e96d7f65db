/*
 * Writes the committed files that browsers load: lib/tracker.js, lib/progress.css, the style sheets as modules, and the
 * pages in assets/ with their bundles. With --check it writes nothing, and fails if a file differs from the output of its
 * modules.
 */
import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { build, transform } from "esbuild";

/** Every browser that has private fields has all of it, so esbuild leaves the modules' syntax as it is. */
const TARGET = "es2022";
const TRACKER = "lib/tracker.js";
const SHEET = "lib/progress.css";
const STYLES = "lib/styles.js";
const LIST_SHEET = "lib/list.css";
const LIST_STYLES = "lib/list-styles.js";
const ASSETS = "assets";

/** The bundle of a module or a style sheet. @param {string} entry @param {import("esbuild").BuildOptions} options */
async function bundle(entry, options) {
  const { outputFiles } = await build({
    ...options,
    entryPoints: [entry],
    bundle: true,
    charset: "utf8",
    target: TARGET,
    write: false,
  });
  return outputFiles?.[0]?.text ?? "";
}

/**
 * A bundle without comments, which browsers would load in vain. It is formatted again, so that a diff shows a change.
 * @param {string} entry
 * @param {"js" | "css"} loader
 */
async function lightBundle(entry, loader) {
  const content = await bundle(entry, { format: "esm", minifyWhitespace: true });
  return (await transform(content, { charset: "utf8", loader, target: TARGET })).code;
}

/** The plain script: it has no exports, and puts three names on the page. */
function tracker() {
  // tsc checks the modules, and not the bundle.
  const banner = { js: "/* Written by build.js from the modules in src/. */\n// @ts-nocheck" };
  return bundle("src/main.js", { format: "iife", banner });
}

/** The style sheet. */
async function sheet() {
  return `/* Written by build.js from the files in styles/. */\n${await bundle("styles/index.css", {})}`;
}

/**
 * A style sheet as a module.
 * @param {string} css
 * @param {{name: string, source: string}} names Of the constant, and of the sheet.
 */
function styles(css, { name, source }) {
  const text = css.replace(/[\\`]|\$\{/g, "\\$&");
  return `/* Written by build.js from ${source}. */\nexport const ${name} = \`${text}\`;\n`;
}

/**
 * The HTML files of a folder and its two bundles. A bundle's name has a hash of its content, so that browsers may keep
 * it for ever.
 * @param {string} name
 * @returns {Promise<[string, string][]>}
 */
async function pageFiles(name) {
  /** @type {[string, string][]} */
  const bundles = [];
  /** @type {[string, string][]} */
  const names = [];
  for (const type of /** @type {const} */ (["js", "css"])) {
    const content = await lightBundle(`${name}/${name}.${type}`, type);
    const hash = createHash("sha256").update(content).digest("hex").slice(0, 16);
    names.push([`web/${name}.${type}`, `web/${name}-${hash}.${type}`]);
    bundles.push([`${ASSETS}/${name}-${hash}.${type}`, content]);
  }
  const files = (await readdir(name)).filter((file) => file.endsWith(".html"));
  const pages = files.map(async (file) => {
    let html = await readFile(`${name}/${file}`, "utf8");
    for (const [source, bundled] of names) html = html.replace(source, bundled);
    return /** @type {[string, string]} */ ([`${ASSETS}/${file.replace("index", name)}`, html]);
  });
  return [...(await Promise.all(pages)), ...bundles];
}

/** @param {Map<string, string>} files */
async function write(files) {
  await rm(ASSETS, { recursive: true, force: true });
  await mkdir(ASSETS);
  for (const [name, content] of files) await writeFile(name, content);
}

/** @param {Map<string, string>} files */
async function check(files) {
  for (const [name, content] of files) {
    if ((await readFile(name, "utf8").catch(() => "")) !== content) fail(name);
  }
  for (const name of await readdir(ASSETS)) if (!files.has(`${ASSETS}/${name}`)) fail(`${ASSETS}/${name}`);
}

/** @param {string} name */
function fail(name) {
  console.error(`web/${name} is out of date: run npm --prefix web run build`);
  process.exitCode = 1;
}

const isCheck = process.argv.includes("--check");
const css = await sheet();
/** @type {[string, string][]} */
const modules = [
  [TRACKER, await tracker()],
  [SHEET, css],
  [STYLES, styles(css, { name: "CSS", source: "progress.css" })],
  [LIST_STYLES, styles(await readFile(LIST_SHEET, "utf8"), { name: "LIST_CSS", source: "list.css" })],
];
// The pages' bundles contain the files that are there, which --check compares first.
if (!isCheck) for (const [name, content] of modules) await writeFile(name, content);
const pages = await Promise.all([pageFiles("page"), pageFiles("home"), pageFiles("demo")]);
const files = new Map([...modules, ...pages.flat()]);
await (isCheck ? check(files) : write(files));
