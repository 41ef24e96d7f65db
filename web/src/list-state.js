/** @typedef {import("../lib/wire.js").ListedSession} ListedSession */
/** @typedef {import("../lib/wire.js").SessionList} SessionList */
/** @typedef {import("./types.js").SharedEvent} SharedEvent */

/** More than a page shows, or a reader reads. */
export const MAX_LISTED = 1000;

/**
 * The state of a stream of a list. The list is kept as a stream of sessions keeps a session, under its query in place of
 * an id.
 */
export class ListState {
  /** By query. @type {Map<string, SessionList>} */
  data = new Map();
  /** Events of lists have no ids. */
  position = "";
  /** The queries whose stream works. @type {Set<string>} */
  live = new Set();
  /** The events since `beginExtending`: what is requested meanwhile may be older. @type {Map<string, "session" | "removed">} */
  #since = new Map();

  /** @param {SharedEvent} event */
  apply(event) {
    for (const query of event.sessions) {
      if (event.failure) this.live.delete(query);
      else this.live.add(query);
    }
    const query = this.changed(event);
    if (query !== undefined) this.#change(query, event);
  }

  /** The query whose list an event changes. @param {SharedEvent} event @returns {string | undefined} */
  changed({ type, sessions }) {
    return ["list", "session", "removed"].includes(type) ? sessions[0] : undefined;
  }

  /** @param {string} query @param {SharedEvent} event */
  #change(query, { type, data }) {
    if (type === "list") {
      this.data.set(query, keptList({ sessions: data.sessions, more: data.more }, this.data.get(query)));
      return;
    }
    const list = this.data.get(query);
    if (!list) return; // It begins with a `list`.
    if (type === "removed") {
      this.#since.set(data.session_id, "removed");
      this.data.set(query, without(list, data.session_id));
    } else {
      this.#since.set(data.session.session_id, "session");
      this.data.set(query, withSession(list, data.session));
    }
  }

  /** More sessions are requested from now on. */
  beginExtending() {
    this.#since.clear();
  }

  /**
   * Takes what a request for more sessions brought, apart from those of which events have said more since it began. The
   * stream does not tell the end of an old session that it has never told.
   * @param {string} query
   * @param {SessionList} answer
   */
  extend(query, { sessions, more }) {
    const list = this.data.get(query);
    if (!list) return;
    const told = list.sessions.filter(({ session_id }) => this.#since.get(session_id) === "session");
    const others = sessions.filter(({ session_id }) => !this.#since.has(session_id));
    const merged = [...told, ...others].sort(byAge);
    this.data.set(query, keptList(limited({ sessions: merged, more }), list));
  }

  /** @param {string} query */
  forget(query) {
    this.data.delete(query);
    this.live.delete(query);
  }
}

/** @param {SessionList} list @param {string} id @returns {SessionList} */
function without({ sessions, more }, id) {
  return { sessions: sessions.filter(({ session_id }) => session_id !== id), more };
}

/** @param {SessionList} list @param {ListedSession} changed @returns {SessionList} */
function withSession({ sessions, more }, changed) {
  const index = sessions.findIndex(({ session_id }) => session_id === changed.session_id);
  if (index >= 0 && sessions[index]?.created_at === changed.created_at) {
    return { sessions: sessions.map((each, place) => (place === index ? changed : each)), more };
  }
  const others = sessions.filter((_, place) => place !== index);
  const older = others.findIndex((other) => byAge(changed, other) < 0);
  const place = older < 0 ? others.length : older;
  return limited({ sessions: [...others.slice(0, place), changed, ...others.slice(place)], more });
}

/**
 * The same list, as the same objects where nothing has changed, so that their rows are not drawn again.
 * @param {SessionList} list
 * @param {SessionList | null} [before]
 * @returns {SessionList}
 */
export function keptList(list, before) {
  if (!before) return list;
  const known = new Map(before.sessions.map((session) => [JSON.stringify(session), session]));
  const sessions = list.sessions.map((session) => known.get(JSON.stringify(session)) ?? session);
  const isSame = list.more === before.more && sessions.length === before.sessions.length;
  return isSame && sessions.every((session, index) => session === before.sessions[index])
    ? before
    : { sessions, more: list.more };
}

/** Newest first, as the server has them. @param {ListedSession} a @param {ListedSession} b */
function byAge(a, b) {
  const [left, right] = [a.created_at + a.session_id, b.created_at + b.session_id];
  return left < right ? 1 : left > right ? -1 : 0;
}

/** @param {SessionList} list @returns {SessionList} */
function limited({ sessions, more }) {
  return { sessions: sessions.slice(0, MAX_LISTED), more: more || sessions.length > MAX_LISTED };
}
