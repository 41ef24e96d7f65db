import { fill, make, nodesOf } from "./dom.js";
import { conclusionOf } from "./headline.js";
import { icon, iconOf } from "./icons.js";
import { hasStalledStep, isIdle } from "./steps.js";

/** @typedef {import("./language.js").Language} Language */
/** @typedef {import("./session-state.js").SessionState} SessionState */

/** The state of a session: an icon, which shows it at a glance, and a sentence. */
export class SessionHeadline {
  icon = make("span", "state-icon", icon("absent"));
  text;
  #language;
  /** @type {import("./icons.js").IconName} */
  #shown = "absent";

  /** @param {Language} language */
  constructor(language) {
    this.#language = language;
    this.text = make("p", "headline", language.text("connecting"));
    this.text.tabIndex = -1;
  }

  /** @param {import("./headline.js").Sentence} sentence @param {SessionState} state @param {number} now_ms */
  show({ key, values }, { data, isDeleted }, now_ms) {
    fill(this.text, nodesOf(this.#language, key, values));
    const conclusion = conclusionOf(data);
    const isStalled = hasStalledStep(data);
    this.#draw(iconOf(data.status, { conclusion, isStalled, isIdle: isIdle(data, now_ms), isDeleted }));
  }

  /** Says that this reader may not see the session. */
  deny() {
    fill(this.text, nodesOf(this.#language, "denied"));
    this.#draw("denied");
  }

  /** A drawing that moves must stay the same element. @param {import("./icons.js").IconName} name */
  #draw(name) {
    if (name !== this.#shown) this.icon.replaceChildren(icon(name));
    this.#shown = name;
  }

  focus() {
    this.text.focus();
  }
}
