import { ConnectionBadge } from "./connection-badge.js";
import { isolated, make, show } from "./dom.js";
import { fitLinks } from "./links.js";

/** @typedef {import("./language.js").Language} Language */
/** @typedef {import("./wire.js").SessionDetails} SessionDetails */

/** The name of a session, its links, and its connection. */
export class SessionHead {
  badge;
  #label;
  #title = make("p", "title");
  #links = make("ul", "links");

  /**
   * @param {Language} language
   * @param {HTMLElement} root Of the session.
   * @param {{sessionId: string, label: string | undefined}} name A label stands in place of the id and of any title.
   */
  constructor(language, root, { sessionId, label }) {
    this.#label = label;
    this.badge = new ConnectionBadge(language, root);
    const id = isolated(label ?? sessionId, "session-id");
    const job = make("p", "job", ...(label === undefined ? [language.text("session"), " ", id] : [id]));
    this.#title.hidden = true;
    this.#links.hidden = true;
    this.#links.ariaLabel = language.text("links");
    // Safari drops the role of a list without markers.
    this.#links.setAttribute("role", "list");
    const about = make("div", "about-job", this.#title, job, this.#links);
    this.element = make("header", "head", about, this.badge.element);
  }

  /** @param {SessionDetails} details */
  show(details) {
    const title = this.#label === undefined ? (details.title ?? "") : "";
    show(this.#title, title ? [isolated(title)] : []);
    show(this.#links, fitLinks(details).map(linkItem));
  }
}

/** @param {{label: string, url: string}} link */
function linkItem({ label, url }) {
  const link = make("a", "link", isolated(label || url));
  link.href = url;
  link.target = "_blank";
  link.rel = "noopener noreferrer nofollow";
  return make("li", "", link);
}
