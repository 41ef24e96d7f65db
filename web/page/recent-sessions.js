/* The sessions that somebody has looked at with this browser, newest first. A browser that keeps nothing has none. */

const KEY = "progress-sse:recent";
const KEPT = 8;

export class RecentSessions {
  #storage;

  /** @param {() => Pick<Storage, "getItem" | "setItem">} storage Asked for each time: where it is denied, that throws. */
  constructor(storage) {
    this.#storage = storage;
  }

  /** @returns {string[]} */
  list() {
    try {
      const kept = JSON.parse(this.#storage().getItem(KEY) ?? "[]");
      return Array.isArray(kept) ? kept.filter((id) => typeof id === "string").slice(0, KEPT) : [];
    } catch {
      return [];
    }
  }

  /** @param {string} sessionId */
  add(sessionId) {
    const kept = [sessionId, ...this.list().filter((id) => id !== sessionId)].slice(0, KEPT);
    try {
      this.#storage().setItem(KEY, JSON.stringify(kept));
    } catch {
      // Denied, or full.
    }
  }
}
