/* What screen readers hear of a list: what began and ended since they last heard of it, and not each change. */
import { lookOf, nameOf } from "./list-entry.js";

/** @typedef {import("./language.js").Language} Language */
/** @typedef {import("./list-entry.js").Look} Look */
/** @typedef {import("./wire.js").ListedSession} ListedSession */
/** @typedef {Exclude<Look, "pending" | "running"> | "started"} News */

/** @type {readonly News[]} */
const KINDS = ["failed", "lost", "stalled", "cancelled", "completed", "started"];

export class ListNews {
  #language;
  /** How all sessions looked that were listed. @type {Map<string, Look> | null} */
  #known = null;
  /** When the newest of them was created. */
  #newest = "";
  /** The names of sessions, by what happened to them. @type {Map<News, string[]>} */
  #news = new Map();

  /** @param {Language} language */
  constructor(language) {
    this.#language = language;
  }

  /** Takes in a list. The first one is no news. @param {readonly ListedSession[]} sessions */
  add(sessions) {
    const [before, newest] = [this.#known, this.#newest];
    this.#known = new Map(sessions.map((session) => [session.session_id, lookOf(session)]));
    this.#newest = sessions[0]?.created_at ?? "";
    if (!before) return;
    for (const session of sessions) {
      const known = before.get(session.session_id);
      const news = known || session.created_at > newest ? newsOf(lookOf(session), known) : null;
      if (news) this.#news.set(news, [...(this.#news.get(news) ?? []), nameOf(session)]);
    }
  }

  /** Another list is shown from now on. */
  forget() {
    this.#known = null;
    this.clear();
  }

  /** It was heard. */
  clear() {
    this.#news.clear();
  }

  /** "" if there is none. */
  get text() {
    return this.#language.joined(KINDS.flatMap((kind) => this.#textOf(kind, this.#news.get(kind) ?? [])));
  }

  /** @param {News} kind @param {string[]} names */
  #textOf(kind, names) {
    if (!names.length) return [];
    if (names.length > 1) return [this.#language.text(`news_count_${kind}`, { count: names.length })];
    return [this.#language.text(`news_${kind}`, { name: names[0] ?? "" })];
  }
}

/** A session that runs on is no news. @param {Look} look @param {Look | undefined} before @returns {News | null} */
function newsOf(look, before) {
  if (look === before || look === "pending") return null;
  if (look !== "running") return look;
  return before === undefined || before === "pending" || before === "completed" ? "started" : null;
}
