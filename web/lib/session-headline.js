import { fill, make, nodesOf } from "./dom.js";
import { conclusionOf } from "./headline.js";
import { icon, iconOf } from "./icons.js";
import { hasStalledStep } from "./steps.js";

/** @typedef {import("./language.js").Language} Language */
/** @typedef {import("./session-state.js").SessionState} SessionState */

/** The state of a session: an icon, which shows it at a glance, and a sentence. */
export class SessionHeadline {
  elements;
  #language;
  #icon = make("span", "state-icon", icon("absent"));
  #text;
  /** @type {import("./icons.js").IconName} */
  #shown = "absent";

  /** @param {Language} language @param {"h1" | "h2" | "p"} tag */
  constructor(language, tag) {
    this.#language = language;
    this.#text = make(tag, "headline", language.text("connecting"));
    this.#text.tabIndex = -1;
    this.elements = [this.#icon, this.#text];
  }

  /** @param {import("./headline.js").Sentence} sentence @param {SessionState} state */
  show({ key, values }, { data, isDeleted }) {
    fill(this.#text, nodesOf(this.#language, key, values));
    this.#draw(iconOf(data.status, { conclusion: conclusionOf(data), isStalled: hasStalledStep(data), isDeleted }));
  }

  /** Says that this reader may not see the session. */
  deny() {
    fill(this.#text, nodesOf(this.#language, "denied"));
    this.#draw("denied");
  }

  /** A drawing that moves must stay the same element. @param {import("./icons.js").IconName} name */
  #draw(name) {
    if (name !== this.#shown) this.#icon.replaceChildren(icon(name));
    this.#shown = name;
  }

  focus() {
    this.#text.focus();
  }
}
