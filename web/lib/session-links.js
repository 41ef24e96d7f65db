import { isolated, make, show } from "./dom.js";
import { icon } from "./icons.js";
import { fitLinks } from "./links.js";

/** @typedef {import("./wire.js").SessionDetails} SessionDetails */

/** The links of a session. Once it has ended, they are what its readers want first. */
export class SessionLinks {
  element = make("ul", "links");

  /** @param {import("./language.js").Language} language */
  constructor(language) {
    this.element.hidden = true;
    this.element.ariaLabel = language.text("links");
    // Safari drops the role of a list without markers.
    this.element.setAttribute("role", "list");
  }

  /** @param {SessionDetails} details */
  show(details) {
    show(this.element, fitLinks(details).map(linkItem));
  }
}

/** @param {{label: string, url: string}} link */
function linkItem({ label, url }) {
  const link = make("a", "link", isolated(label || url), icon("out"));
  link.href = url;
  link.target = "_blank";
  link.rel = "noopener noreferrer nofollow";
  return make("li", "", link);
}
