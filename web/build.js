/*
 * Writes the committed files that browsers load: lib/tracker.js, lib/progress.css, the style sheets as modules, and in
 * assets/ the pages and the elements. With --check it writes nothing, and fails if a file differs from the output of its
 * modules.
 */
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { build } from "esbuild";
import { ASSETS, pageFiles, TARGET } from "./page-bundles.js";

const TRACKER = "lib/tracker.js";
const SHEET = "lib/progress.css";
const STYLES = "lib/styles.js";
const LIST_SHEET = "lib/list.css";
const LIST_STYLES = "lib/list-styles.js";

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
const files = new Map([...modules, ...(await pageFiles())]);
await (isCheck ? check(files) : write(files));
