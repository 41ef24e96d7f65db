import { make } from "../lib/dom.js";
import { icon } from "../lib/icons.js";

const KEY = "progress-sse:theme";
const THEMES = /** @type {const} */ (["light", "system", "dark"]);

/** @typedef {(typeof THEMES)[number]} Theme */
/** @typedef {() => Pick<Storage, "getItem" | "setItem" | "removeItem">} GetStorage It throws if storage is denied. */

/** The theme that this browser remembers. @param {GetStorage} storage @returns {Theme} */
export function rememberedTheme(storage) {
  try {
    const kept = storage().getItem(KEY);
    return THEMES.find((theme) => theme === kept) ?? "system";
  } catch {
    return "system";
  }
}

/** Sets the page's theme, and remembers it. @param {Theme} theme @param {GetStorage} storage */
function choose(theme, storage) {
  document.documentElement.dataset.theme = theme;
  try {
    if (theme === "system") storage().removeItem(KEY);
    else storage().setItem(KEY, theme);
  } catch {
    // Storage is denied, or full: the theme lasts as long as the page.
  }
}

/**
 * Applies the remembered theme, and returns a group of buttons that change it.
 * @param {Record<"theme" | `theme_${Theme}`, string>} texts
 * @param {GetStorage} [storage]
 */
export function themeSwitch(texts, storage = () => localStorage) {
  const remembered = rememberedTheme(storage);
  document.documentElement.dataset.theme = remembered;
  const group = make("fieldset", "theme", make("legend", "visually-hidden", texts.theme));
  for (const theme of THEMES) {
    const input = make("input", "visually-hidden");
    Object.assign(input, { type: "radio", name: "theme", value: theme, checked: theme === remembered });
    input.addEventListener("change", () => choose(theme, storage));
    const name = texts[`theme_${theme}`];
    const label = make("label", "theme-choice", input, icon(theme), make("span", "visually-hidden", name));
    label.title = name;
    group.append(label);
  }
  return group;
}
