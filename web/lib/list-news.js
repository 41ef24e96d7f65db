/* What screen readers hear of a list: what began and ended since they last heard of it, and not each change. */
import { nameOf } from "./list-entry.js";

/** @typedef {import("./language.js").Language} Language */
/** @typedef {import("./wire.js").ListedSession} ListedSession */
/** @typedef {"started" | "completed" | "failed"} News */

/** @type {readonly News[]} */
const KINDS = ["failed", "completed", "started"];

export class ListNews {
  #language;
  /** The statuses of all sessions that were listed. @type {Map<string, ListedSession["status"]> | null} */
  #known = null;
  /** When the newest of them was created. */
  #newest = "";
  /** The names of sessions, by what happened to them. @type {Record<News, string[]>} */
  #news = { started: [], completed: [], failed: [] };

  /** @param {Language} language */
  constructor(language) {
    this.#language = language;
  }

  /** Takes in a list. The first one is no news. @param {readonly ListedSession[]} sessions */
  add(sessions) {
    const [before, newest] = [this.#known, this.#newest];
    this.#known = new Map(sessions.map(({ session_id, status }) => [session_id, status]));
    this.#newest = sessions[0]?.created_at ?? "";
    if (!before) return;
    for (const session of sessions) {
      const known = before.get(session.session_id);
      const news = known || session.created_at > newest ? newsOf(session, known) : null;
      if (news) this.#news[news].push(nameOf(session));
    }
  }

  /** Another list is shown from now on. */
  forget() {
    this.#known = null;
    this.clear();
  }

  /** It was heard. */
  clear() {
    this.#news = { started: [], completed: [], failed: [] };
  }

  /** "" if there is none. */
  get text() {
    return this.#language.joined(KINDS.filter((kind) => this.#news[kind].length).map((kind) => this.#textOf(kind)));
  }

  /** @param {News} kind */
  #textOf(kind) {
    const names = this.#news[kind];
    if (names.length > 1) return this.#language.text(`news_count_${kind}`, { count: names.length });
    return this.#language.text(`news_${kind}`, { name: names[0] ?? "" });
  }
}

/** @param {ListedSession} session @param {ListedSession["status"] | undefined} before @returns {News | null} */
function newsOf({ status }, before) {
  if (status === before || status === "pending") return null;
  if (status === "running") return before === "error" ? null : "started";
  return status === "completed" ? "completed" : "failed";
}
