import { Language } from "./language.js";
import { languageFor, loadTexts, TEXTS } from "./texts.js";

/**
 * The language of an element: that of what surrounds it, or else the browser's.
 * @param {Element} element
 * @param {() => void} onLoaded The texts of the language have come, and another call returns it.
 * @returns {Language | null} Null while they are loaded.
 */
export function surroundingLanguage(element, onLoaded) {
  const surrounding = /** @type {HTMLElement | null} */ (element.closest("[lang]"))?.lang;
  const tag = languageFor(surrounding ? [surrounding] : navigator.languages);
  if (TEXTS[tag]) return new Language(tag);
  void loadTexts(tag).then(onLoaded);
  return null;
}
