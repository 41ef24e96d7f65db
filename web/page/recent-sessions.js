const KEY = "progress-sse:recent";
const KEPT = 8;

/** The sessions that were shown in this browser, newest first. Without storage there are none. */
export class RecentSessions {
  #storage;

  /** @param {() => Pick<Storage, "getItem" | "setItem">} storage Called each time: it throws if storage is denied. */
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
      // Storage is denied, or full.
    }
  }
}
