import { make, setText } from "./dom.js";

/** A shorter bar has no room for its number. */
const NARROW_PERCENT = 16;

/** The bar of the whole session. */
export class OverallBar {
  element = make("div", "bar");
  #percent = make("span", "percent");
  #fill = make("div", "fill", this.#percent);

  /** @param {string} name For screen readers. */
  constructor(name) {
    this.element.role = "progressbar";
    this.element.ariaLabel = name;
    this.element.ariaValueMin = "0";
    this.element.ariaValueMax = "100";
    this.element.append(this.#fill);
    this.#fillTo(0);
  }

  /** @param {import("./session-state.js").SessionState} state */
  show({ data, percentage }) {
    this.#fillTo(percentage);
    // A progressbar without a value is indeterminate.
    this.element.ariaValueNow = data.status === "not_found" ? null : String(percentage);
  }

  /** @param {number} percentage */
  #fillTo(percentage) {
    this.#fill.style.width = `${percentage}%`;
    this.#fill.toggleAttribute("data-narrow", percentage < NARROW_PERCENT);
    setText(this.#percent, `${percentage}%`);
  }
}
