/** How long nothing is loaded after a failure, as without a network. */
const PAUSE_MS = 10_000;

/** A part that is loaded when it is first needed. @template Part */
export class Later {
  /** Null until it is loaded. @type {Part | null} */
  part = null;
  #load;
  #onLoaded;
  #isLoading = false;

  /** @param {() => Promise<Part>} load @param {(part: Part) => void} onLoaded */
  constructor(load, onLoaded) {
    this.#load = load;
    this.#onLoaded = onLoaded;
  }

  /** Loads the part, unless it is there. After a failure a later call does so again. */
  async need() {
    if (this.part || this.#isLoading) return;
    this.#isLoading = true;
    try {
      this.part = await this.#load();
      this.#onLoaded(this.part);
    } catch {
      setTimeout(() => (this.#isLoading = false), PAUSE_MS);
    }
  }
}
