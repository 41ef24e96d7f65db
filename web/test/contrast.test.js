import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";

const CSS = readFileSync(new URL("../lib/progress.css", import.meta.url), "utf8");
/** The least contrast between a graphic and its surroundings [WCAG 1.4.11]; axe checks only text. */
const LEAST = 3;

/** @param {string} name @param {0 | 1} scheme Light or dark. */
function colour(name, scheme) {
  const [, value = ""] = CSS.match(new RegExp(`--${name}: (.+);`)) ?? [];
  const colours = value.match(/#[0-9a-f]{6}/g) ?? [];
  return colours[scheme] ?? colours[0] ?? assert.fail(`no colour --${name}`);
}

/** @param {string} hex */
function luminance(hex) {
  const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((at) => {
    const part = parseInt(hex.slice(at, at + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

/** @param {string} one @param {string} other */
function contrast(one, other) {
  const [dark = 0, light = 0] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (light + 0.05) / (dark + 0.05);
}

for (const scheme of /** @type {const} */ ([0, 1])) {
  for (const [part, ground] of /** @type {[string, string][]} */ ([
    ["fill", "track"],
    ["fill-end", "track"],
    ["good-fill", "track"],
    ["bad-fill", "track"],
    ["off-fill", "track"],
    ["accent", "track"],
    ["warn", "track"],
    ["accent", "card"],
    ["good", "card"],
    ["bad", "card"],
  ])) {
    test(`--${part} is visible on --${ground} in the ${scheme ? "dark" : "light"} scheme`, () => {
      const found = contrast(colour(part, scheme), colour(ground, scheme));
      assert.ok(found >= LEAST, `${found.toFixed(2)} : 1`);
    });
  }
}
