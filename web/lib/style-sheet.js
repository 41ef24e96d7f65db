/*
 * The element's style sheet travels as text in its module, so bundlers need no loader and pages no link. A content
 * security policy without 'unsafe-inline' allows it, since a script makes it.
 */
import { CSS } from "./styles.js";

/** A shadow root adopts only sheets that its own document has made. @type {WeakMap<Document, CSSStyleSheet>} */
const sheets = new WeakMap();

/** Styles a shadow root, also again after its move to another document, which drops its sheets. @param {ShadowRoot} root */
export function adoptStyles(root) {
  const sheet = sheetOf(root.ownerDocument);
  if (sheet && !root.adoptedStyleSheets.includes(sheet)) root.adoptedStyleSheets.unshift(sheet);
}

/** All elements of a document share one sheet. @param {Document} document */
function sheetOf(document) {
  const window = document.defaultView;
  if (!window) return null; // Such a document is not shown.
  let sheet = sheets.get(document);
  if (!sheet) {
    sheet = new window.CSSStyleSheet();
    sheet.replaceSync(CSS);
    sheets.set(document, sheet);
  }
  return sheet;
}
