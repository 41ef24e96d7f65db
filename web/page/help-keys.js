import { make, makeButton } from "../lib/dom.js";

/** @typedef {import("../lib/language.js").Language} Language */
/** @typedef {import("./shortcuts.js").Shortcuts} Shortcuts */

/** Fills a dialog with the keys, and what turns them off. @param {HTMLDialogElement} dialog @param {Language} language @param {Shortcuts} shortcuts */
export function fillHelp(dialog, language, shortcuts) {
  const title = make("h2", "", language.text("keys"));
  title.id = "keys-title";
  dialog.setAttribute("aria-labelledby", title.id);
  const rows = shortcuts.shortcuts.flatMap(({ key, text }) => [
    make("dt", "", make("kbd", "", key)),
    make("dd", "", language.text(text)),
  ]);
  const close = makeButton("close", language.text("close"));
  close.addEventListener("click", () => dialog.close());
  dialog.append(title, make("dl", "keys", ...rows), keysSwitch(language, shortcuts), make("p", "actions", close));
}

/** @param {Language} language @param {Shortcuts} shortcuts */
function keysSwitch(language, shortcuts) {
  const box = make("input");
  Object.assign(box, { type: "checkbox", checked: shortcuts.isOn });
  box.addEventListener("change", () => {
    shortcuts.isOn = box.checked;
  });
  return make("label", "keys-switch", box, " ", language.text("keys_on"));
}
