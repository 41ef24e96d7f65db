import { make } from "../lib/dom.js";
import { CommandTab } from "./command-tab.js";
import { LANGUAGES, nextMove, requestFor } from "./commands.js";
import { sessionUrl } from "./curl.js";

/** @typedef {import("../lib/wire.js").Progress} Progress */
/** @typedef {"commands" | "token" | "create" | "sample_steps" | "start" | "complete" | "copy" | "copied" | "copy_failed"} Key */
/** @typedef {Record<Key, string>} Texts */

/**
 * Fills a `<details>`, below its summary, with a tab for each language in which the next request can be sent.
 * The commands contain no token: they read it from the environment.
 */
export class CommandPanel {
  #texts;
  #url;
  #needsToken;
  #offered = "";
  /** @type {CommandTab[]} */
  #tabs;

  /**
   * @param {HTMLDetailsElement} panel
   * @param {string} sessionId
   * @param {Texts} texts
   */
  constructor(panel, sessionId, texts) {
    const publish = document.querySelector('meta[name="progress-publish"]');
    this.#texts = texts;
    this.#url = sessionUrl(document.baseURI, sessionId);
    this.#needsToken = publish?.getAttribute("content") === "token";
    const status = make("p", "visually-hidden");
    status.setAttribute("role", "status");
    this.#tabs = Object.entries(LANGUAGES).map(([name, language]) => new CommandTab(name, language, texts, status));
    const hint = make("p", "quiet token-hint", texts.token);
    hint.hidden = !this.#needsToken;
    panel.append(hint, tabList(this.#tabs, texts.commands), ...this.#tabs.map(({ panel: own }) => own), status);
  }

  /** @param {Progress} data */
  show(data) {
    const move = nextMove(data);
    const title = this.#texts[move.action].replace("{step}", String(move.step));
    if (title === this.#offered) return;
    this.#offered = title;
    const request = requestFor(move, this.#url, this.#texts);
    for (const tab of this.#tabs) tab.show(title, request, this.#needsToken);
  }
}

/**
 * The row of tabs, with the first selected. Arrow keys move as in the tabs pattern of the ARIA authoring practices.
 * @param {CommandTab[]} tabs
 * @param {string} label
 */
function tabList(tabs, label) {
  const list = make("div", "tabs");
  list.setAttribute("role", "tablist");
  list.setAttribute("aria-label", label);
  list.append(...tabs.map(({ tab }) => tab));

  /** @param {number} index */
  const select = (index) => {
    for (const [each, tab] of tabs.entries()) tab.select(each === index);
  };

  list.addEventListener("click", ({ target }) => {
    const index = tabs.findIndex(({ tab }) => tab === target);
    if (index >= 0) select(index);
  });
  list.addEventListener("keydown", (event) => {
    const index = tabs.findIndex(({ tab }) => tab === event.target);
    const last = tabs.length - 1;
    const targets = {
      ArrowLeft: index ? index - 1 : last,
      ArrowRight: index < last ? index + 1 : 0,
      Home: 0,
      End: last,
    };
    const target = targets[/** @type {keyof typeof targets} */ (event.key)];
    if (target === undefined) return;
    event.preventDefault();
    select(target);
    tabs[target]?.tab.focus();
  });
  select(0);
  return list;
}
