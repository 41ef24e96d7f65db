import { element } from "../lib/dom.js";
import { headlineOf } from "../lib/headline.js";

/**
 * Notifies of a session's end. It asks for permission only on a click, and notifies only while the page is not looked at.
 */
export class Notifier {
  #button = element("notify");
  #canNotify = canNotify();
  #isWanted = false;
  #language;
  #announcer;

  /**
   * @param {import("../lib/language.js").Language} language
   * @param {import("../lib/announcer.js").Announcer} announcer
   */
  constructor(language, announcer) {
    this.#language = language;
    this.#announcer = announcer;
    this.#button.hidden = !this.#canNotify;
    this.#button.textContent = this.#language.text("notify");
    this.#button.addEventListener("click", () => void this.#requestPermission());
  }

  async #requestPermission() {
    this.#isWanted = (await Notification.requestPermission()) === "granted";
    this.#button.textContent = this.#language.text(this.#isWanted ? "notify_on" : "notify_denied");
    this.#announcer.say(this.#button.textContent);
    this.#button.toggleAttribute("disabled", true);
  }

  /** @param {import("../lib/wire.js").Progress} data */
  notifyEnd(data) {
    if (!this.#isWanted || document.hasFocus()) return;
    const { key, values } = headlineOf(data);
    try {
      new Notification(this.#language.text(key, values), { body: data.session_id, tag: data.session_id });
    } catch (error) {
      console.error(error); // As in `canNotify`, which cannot test it once permission is granted.
    }
  }

  /** Another run may follow the end. @param {boolean} isOver Or not to be seen by this visitor. */
  setOver(isOver) {
    this.#button.hidden = isOver || !this.#canNotify;
  }
}

/** Browsers on phones have the class, but its constructor throws: they notify only from a service worker. */
function canNotify() {
  if (!("Notification" in globalThis && isSecureContext)) return false;
  try {
    // Without permission it is not shown. With it, a phone throws before it would be.
    if (Notification.permission !== "granted" || isPhone()) new Notification("").close();
    return true;
  } catch {
    return false;
  }
}

function isPhone() {
  return /Android/.test(navigator.userAgent);
}
