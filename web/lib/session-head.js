import { ConnectionBadge } from "./connection-badge.js";
import { isolated, make, nodesOf, show } from "./dom.js";
import { startedAt_ms, took_ms } from "./steps.js";

/** @typedef {import("./language.js").Language} Language */
/** @typedef {import("./session-state.js").SessionState} SessionState */
/** @typedef {import("./wire.js").Progress} Progress */

/** Which session this is: its name, its times and labels; and its connection, beside the tools of the page. */
export class SessionHead {
  badge;
  #language;
  #label;
  #title = make("p", "title");
  #job;
  #times = make("p", "times");
  #labels = make("ul", "labels");

  /**
   * @param {Language} language
   * @param {HTMLElement} root Of the session.
   * @param {object} options
   * @param {string} options.sessionId
   * @param {string | undefined} options.label It stands in place of the id and of any title.
   * @param {HTMLElement | undefined} options.tools What the page offers beside the badge.
   * @param {HTMLElement | undefined} options.home The way to where the session is one of many.
   */
  constructor(language, root, { sessionId, label, tools, home }) {
    this.#language = language;
    this.#label = label;
    this.badge = new ConnectionBadge(language, root);
    const id = isolated(label ?? sessionId, "session-id");
    const word = make("span", "session-word", `${language.text("session")} `);
    this.#job = make("p", "job", ...(label === undefined ? [word, id] : [id]));
    this.#labels.ariaLabel = language.text("labels");
    // Safari drops the role of a list without markers.
    this.#labels.setAttribute("role", "list");
    for (const part of [this.#title, this.#times, this.#labels]) part.hidden = true;
    const about = make("div", "about-job", this.#title, make("div", "job-line", this.#job, this.#times), this.#labels);
    this.element = make(
      "header",
      "head",
      ...(home ? [home] : []),
      about,
      make("div", "head-side", this.badge.element, ...(tools ? [tools] : [])),
    );
  }

  /** @param {SessionState} state @param {number} now_ms */
  show({ data, isDeleted }, now_ms) {
    const title = this.#label === undefined ? (data.title ?? "") : "";
    show(this.#title, title ? [isolated(title)] : []);
    this.element.toggleAttribute("data-titled", title !== "");
    show(this.#times, isDeleted ? [] : this.#timeNodes(data, now_ms));
    const labels = Object.entries(data.labels ?? {});
    show(
      this.#labels,
      labels.map(([name, value]) => make("li", "label", ...nodesOf(this.#language, "label", { name, value }))),
    );
  }

  /** @param {Progress} data @param {number} now_ms */
  #timeNodes(data, now_ms) {
    const started_ms = startedAt_ms(data);
    if (Number.isNaN(started_ms)) return [];
    const time = this.#language.moment(started_ms, now_ms);
    const duration_ms = data.status === "running" ? Math.max(0, now_ms - started_ms) : took_ms(data);
    const key = data.status === "running" ? "running_for" : "took";
    return [
      make("span", "started", ...nodesOf(this.#language, "started", { time })),
      // The headline of a completed session says what it took.
      ...(data.status === "completed" || duration_ms < 1000
        ? []
        : [make("span", "total", ...nodesOf(this.#language, key, { duration: { duration_ms } }))]),
    ];
  }
}
