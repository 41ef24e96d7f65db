import { make } from "../lib/dom.js";
import { icon } from "../lib/icons.js";

/** The way from a job to the list of all jobs, which is not for those who came by a link to one job. */
export class HomeLink {
  element = make("a", "home-link", icon("back"));

  /** @param {{all_jobs: string}} texts */
  constructor(texts) {
    this.element.append(make("span", "tool-text", texts.all_jobs));
    this.element.href = document.baseURI;
  }

  /** @param {boolean} isByLink */
  show(isByLink) {
    // In a frame of another page a list of jobs would stand in the place of the one that this page shows.
    this.element.hidden = isByLink || window.parent !== window;
  }
}
