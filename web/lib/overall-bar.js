import { hasPercentage, isMoving, percentageAt } from "./bar-percentage.js";
import { segmentEnds } from "./bar-segments.js";
import { fill, make, setText } from "./dom.js";
import { quarterOf } from "./headline.js";

/** @typedef {import("./session-state.js").SessionState} SessionState */

/** A shorter bar has no room for its number. */
const NARROW_PERCENT = 16;

/**
 * The bar of the whole session. Where its time is known, it moves by itself, and has a segment for each step. Where it is
 * not known how far the session is, it is full of stripes, and has no number.
 */
export class OverallBar {
  element = make("div", "bar");
  #percent = make("span", "percent");
  #fill = make("div", "fill", this.#percent);
  #ends = make("div", "segment-ends");
  /** The data that was shown last, as JSON. */
  #json = "";
  #percentage = 0;
  /** The percentage for screen readers. */
  #spoken = 0;

  /** @param {string} name For screen readers. */
  constructor(name) {
    this.element.role = "progressbar";
    this.element.ariaLabel = name;
    this.element.ariaValueMin = "0";
    this.element.ariaValueMax = "100";
    this.element.append(this.#fill, this.#ends);
    for (const type of ["transitionend", "transitioncancel"])
      this.#fill.addEventListener(type, () => this.#placeNumber());
    this.#fillTo(0);
  }

  /** @param {SessionState} state @param {number} now_ms */
  show(state, now_ms) {
    const percentage = percentageAt(state, now_ms);
    this.element.toggleAttribute("data-timed", isMoving(state.data));
    this.element.toggleAttribute("data-endless", !hasPercentage(state.data));
    this.#fillTo(hasPercentage(state.data) ? percentage : null);
    this.#speak(state);
    const ends = segmentEnds(state, percentage, now_ms);
    fill(
      this.#ends,
      ends.map((end) => {
        const mark = make("span", "segment-end");
        mark.style.left = `${end.toFixed(1)}%`;
        return mark;
      }),
    );
  }

  /** @param {number | null} percentage */
  #fillTo(percentage) {
    this.#fill.style.width = `${Math.round((percentage ?? 100) * 100) / 100}%`;
    setText(this.#percent, percentage === null ? "" : `${Math.floor(percentage)}%`);
    this.#percentage = percentage ?? 100;
    this.#placeNumber();
  }

  /** A bar that is on its way to a new length has room for its number only once it is long. */
  #placeNumber() {
    const whole = this.element.offsetWidth;
    const drawn = whole ? (100 * this.#fill.offsetWidth) / whole : this.#percentage;
    this.#fill.toggleAttribute("data-narrow", Math.min(drawn, this.#percentage) < NARROW_PERCENT);
  }

  /** A bar that moves by itself is a milestone at each quarter only: some screen readers read every change. @param {SessionState} state */
  #speak({ data, json, percentage }) {
    if (json !== this.#json || quarterOf(percentage) > quarterOf(this.#spoken)) this.#spoken = percentage;
    this.#json = json;
    // A progressbar without a value is indeterminate.
    this.element.ariaValueNow = data.status !== "not_found" && hasPercentage(data) ? String(this.#spoken) : null;
  }
}
