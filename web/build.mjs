/* Writes the committed files that esbuild makes. With --check it compares them instead, and fails on a difference. */
import { readFile, writeFile } from "node:fs/promises";
import { build } from "esbuild";

/** Runs everywhere that private fields do, and so leaves the modules' syntax as it is. */
const TARGET = "es2022";

/** The plain script, which has no exports and puts its two names on the page. */
async function tracker() {
  const options = /** @type {const} */ ({ bundle: true, charset: "utf8", target: TARGET, write: false });
  // The modules are type-checked, not what esbuild makes of them.
  const banner = "/* Written by build.mjs from the modules in src/. */\n// @ts-nocheck";
  const { outputFiles } = await build({
    ...options,
    entryPoints: ["src/main.js"],
    format: "iife",
    banner: { js: banner },
  });
  return outputFiles[0]?.text ?? "";
}

/** @type {Map<string, string>} */
const files = new Map([["tracker.js", await tracker()]]);

if (process.argv.includes("--check")) {
  for (const [name, content] of files) {
    if ((await readFile(name, "utf8").catch(() => "")) === content) continue;
    console.error(`web/${name} is not what its modules make: run npm --prefix web run build`);
    process.exitCode = 1;
  }
} else {
  for (const [name, content] of files) await writeFile(name, content);
}
