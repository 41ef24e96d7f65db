import { fill, make } from "./dom.js";

/** @typedef {import("./timeline-spans.js").Span} Span */

/** More former attempts are not drawn: so many find room before the bar. */
const MOST_FORMER = 5;

/** When a step ran, or a fold of steps: a bar on the time axis that all rows of a session share. */
export class TimelineBar {
  #expected = make("span", "timeline-expected");
  #former = make("span", "timeline-former");
  element = make("span", "timeline", this.#expected, this.#former, make("span", "timeline-ran"));

  /** @param {Span | null} span Null: it has not begun. */
  show(span) {
    this.element.hidden = !span;
    this.#expected.hidden = !span?.expected;
    // The style sheet draws it: on a phone otherwise than on a screen.
    for (const [name, part] of Object.entries(span ?? {})) this.element.style.setProperty(`--${name}`, part.toFixed(4));
  }

  /** @param {string} words Shown on demand, and read by screen readers. @param {number} former Attempts before this one. */
  describe(words, former) {
    this.element.setAttribute("role", "img");
    this.element.ariaLabel = words;
    fill(
      this.#former,
      Array.from({ length: Math.min(former, MOST_FORMER) }, () => make("span")),
    );
  }
}
