/*
 * The keys of the page. One key acts only while the visitor writes nothing and no dialog is open, never with Ctrl, Alt
 * or Meta, and not at all where the visitor has turned the keys off: speech input may press them [WCAG 2.1.4].
 */

const KEY = "progress-sse:keys";
const OFF = "off";
const WRITTEN = "input:not([type=radio], [type=checkbox]), textarea, select, dialog";

/** @typedef {import("../lib/texts.js").TextKey} TextKey */
/** @typedef {{key: string, text: TextKey, run: () => void, repeats?: boolean}} Shortcut A key that is held runs one that repeats again and again. */
/** @typedef {() => Pick<Storage, "getItem" | "setItem" | "removeItem">} GetStorage It throws if storage is denied. */

export class Shortcuts {
  shortcuts;
  #storage;
  #isOn;

  /** @param {readonly Shortcut[]} shortcuts @param {GetStorage} [storage] */
  constructor(shortcuts, storage = () => localStorage) {
    this.shortcuts = shortcuts;
    this.#storage = storage;
    this.#isOn = this.#remembered();
  }

  get isOn() {
    return this.#isOn;
  }

  set isOn(value) {
    this.#isOn = value;
    try {
      if (value) this.#storage().removeItem(KEY);
      else this.#storage().setItem(KEY, OFF);
    } catch {
      // Storage is denied, or full: the choice lasts as long as the page.
    }
  }

  #remembered() {
    try {
      return this.#storage().getItem(KEY) !== OFF;
    } catch {
      return true;
    }
  }

  /** @param {Pick<KeyboardEvent, "key" | "repeat" | "ctrlKey" | "altKey" | "metaKey" | "isComposing" | "defaultPrevented" | "preventDefault"> & {composedPath: () => EventTarget[]}} event */
  press(event) {
    if (!this.#isOn || event.defaultPrevented || event.isComposing) return;
    if (event.ctrlKey || event.altKey || event.metaKey || isWriting(event.composedPath()[0])) return;
    const shortcut = this.shortcuts.find(({ key }) => key === event.key);
    if (!shortcut) return;
    event.preventDefault();
    if (!event.repeat || shortcut.repeats) shortcut.run();
  }
}

/** Whether a key goes to what the visitor writes or chooses, or to a dialog. @param {EventTarget | undefined} target */
function isWriting(target) {
  if (!target || !("closest" in target)) return false;
  const element = /** @type {HTMLElement} */ (target);
  return element.isContentEditable || element.closest(WRITTEN) !== null;
}
