/*
 * The element's style sheet travels as text in its module, so bundlers need no loader and pages no link. A content
 * security policy without 'unsafe-inline' allows it, since a script makes it.
 */
import { CSS } from "./styles.js";

/** A shadow root adopts only sheets that its own document has made. @type {WeakMap<Document, Map<string, CSSStyleSheet>>} */
const sheets = new WeakMap();

/**
 * Styles a shadow root, also again after its move to another document, which drops its sheets. The sheet comes before
 * those that it has.
 * @param {ShadowRoot} root
 * @param {string} [css]
 */
export function adoptStyles(root, css = CSS) {
  const sheet = sheetOf(root.ownerDocument, css);
  if (sheet && !root.adoptedStyleSheets.includes(sheet)) root.adoptedStyleSheets.unshift(sheet);
}

/** All elements of a document share each sheet. @param {Document} document @param {string} css */
function sheetOf(document, css) {
  const window = document.defaultView;
  if (!window) return null; // Such a document is not shown.
  const known = sheets.get(document) ?? new Map();
  sheets.set(document, known);
  let sheet = known.get(css);
  if (!sheet) {
    sheet = new window.CSSStyleSheet();
    sheet.replaceSync(css);
    known.set(css, sheet);
  }
  return sheet;
}
