import { ConnectionBadge } from "./connection-badge.js";
import { isolated, make, nodesOf, show } from "./dom.js";
import { startedAt_ms } from "./steps.js";

/** @typedef {import("./language.js").Language} Language */
/** @typedef {import("./session-state.js").SessionState} SessionState */

/** Which session this is: its title, its id and its start, its labels; and its connection, beside the tools of the page. */
export class SessionHead {
  badge;
  #language;
  #label;
  #id;
  #title;
  /** The id of a session that has a title, and its start. */
  #job = make("p", "job");
  #labels = make("ul", "labels");

  /**
   * @param {Language} language
   * @param {HTMLElement} root Of the session.
   * @param {object} options
   * @param {"h1" | "h2" | "p"} options.heading The tag of the title.
   * @param {string} options.sessionId
   * @param {string | undefined} options.label It stands in place of the id and of any title.
   * @param {HTMLElement | undefined} options.tools What the page offers beside the badge.
   * @param {HTMLElement | undefined} options.home The way to where the session is one of many.
   */
  constructor(language, root, { heading, sessionId, label, tools, home }) {
    this.#language = language;
    this.#label = label;
    this.badge = new ConnectionBadge(language, root);
    this.#id = isolated(label ?? sessionId, "session-id");
    this.#title = make(heading, "title", this.#id);
    this.#labels.ariaLabel = language.text("labels");
    // Safari drops the role of a list without markers.
    this.#labels.setAttribute("role", "list");
    for (const part of [this.#job, this.#labels]) part.hidden = true;
    this.element = make(
      "header",
      "head",
      ...(home ? [home] : []),
      make("div", "about-job", this.#title, this.#job, this.#labels),
      make("div", "head-side", this.badge.element, ...(tools ? [tools] : [])),
    );
    this.element.toggleAttribute("data-labelled", label !== undefined);
  }

  /** @param {SessionState} state @param {number} now_ms */
  show({ data, isDeleted }, now_ms) {
    const title = this.#label === undefined ? (data.title ?? "") : "";
    const started_ms = isDeleted ? NaN : startedAt_ms(data);
    const time = Number.isNaN(started_ms) ? "" : this.#language.moment(started_ms, now_ms);
    const started = time ? [make("span", "started", ...nodesOf(this.#language, "started", { time }))] : [];
    show(this.#title, [title ? isolated(title) : this.#id]);
    show(this.#job, [...(title ? [this.#id] : []), ...started]);
    const labels = Object.entries(data.labels ?? {});
    show(
      this.#labels,
      labels.map(([name, value]) => make("li", "label", ...nodesOf(this.#language, "label", { name, value }))),
    );
  }
}
