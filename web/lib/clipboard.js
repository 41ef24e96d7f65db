/* Copying, also where there is no clipboard API. */

/**
 * Whether the text is in the clipboard now.
 * @param {string} text
 */
export async function copyText(text) {
  try {
    // Missing where the page is no secure context, as over plain HTTP on a LAN.
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
  document.body.append(area);
  area.select();
  const isCopied = document.execCommand("copy");
  area.remove();
  if (focused instanceof HTMLElement) focused.focus();
  return isCopied;
}

/** Also one in a shadow root, of which the document knows but the host. */
function focusedElement() {
  let focused = document.activeElement;
  while (focused?.shadowRoot?.activeElement) focused = focused.shadowRoot.activeElement;
  return focused;
}
