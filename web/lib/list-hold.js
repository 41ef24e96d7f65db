/** This long after the last move or key, what a visitor is about to click or to open may move. */
const HOLD_MS = 3000;

/** Whether a visitor points or types in an element, so that its content should stay where it is. */
export class ListHold {
  #onEnd;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /** @param {EventTarget} element @param {() => void} onEnd It may move now. */
  constructor(element, onEnd) {
    this.#onEnd = onEnd;
    for (const type of ["pointermove", "pointerdown", "keydown"]) element.addEventListener(type, () => this.#begin());
    element.addEventListener("pointerleave", () => this.#end());
  }

  get isOn() {
    return this.#timer !== undefined;
  }

  /** What comes next was chosen, or is another list. */
  release() {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #begin() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#end(), HOLD_MS);
  }

  #end() {
    if (!this.isOn) return;
    this.release();
    this.#onEnd();
  }
}
