/* Copies text, also without the clipboard API. */

/**
 * Returns whether the text is in the clipboard now.
 * @param {string} text
 */
export async function copyText(text) {
  try {
    // It is missing outside secure contexts, such as plain HTTP on a LAN.
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copiedBySelection(text);
  }
}

/** @param {string} text */
function copiedBySelection(text) {
  const area = Object.assign(document.createElement("textarea"), { value: text, className: "visually-hidden" });
  const focused = focusedElement();
  // Beside an open dialog nothing can be selected.
  (focused?.closest("dialog") ?? document.body).append(area);
  area.select();
  const isCopied = document.execCommand("copy");
  area.remove();
  if (focused instanceof HTMLElement) focused.focus();
  return isCopied;
}

/** The focused element, also inside a shadow root: the document itself names only the host. */
function focusedElement() {
  let focused = document.activeElement;
  while (focused?.shadowRoot?.activeElement) focused = focused.shadowRoot.activeElement;
  return focused;
}
