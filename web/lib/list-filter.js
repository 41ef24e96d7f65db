/* Which sessions of a list are shown: pure functions. No DOM. */

/** @typedef {import("./wire.js").ListedSession} ListedSession */
/** @typedef {import("./wire.js").ListFilter} ListFilter */

/**
 * What a visitor wants to see: all of it must hold.
 * @typedef {object} Filter
 * @property {string} prefix Of the ids.
 * @property {Readonly<Record<string, string>>} labels
 * @property {ListedSession["status"] | ""} status
 * @property {string} text In the title, the id or a label.
 */

/** @type {Filter} */
export const NO_FILTER = { prefix: "", labels: {}, status: "", text: "" };

/** @type {readonly ListedSession["status"][]} */
export const STATUSES = ["running", "pending", "error", "completed"];

/** The texts of a session that are searched. @type {WeakMap<ListedSession, string>} */
const searched = new WeakMap();

/** @param {ListedSession} session */
function searchedText(session) {
  const known = searched.get(session);
  if (known !== undefined) return known;
  const labels = Object.entries(session.labels ?? {}).map((pair) => pair.join(":"));
  const text = [session.title ?? "", session.session_id, ...labels].join("\n").toLowerCase();
  searched.set(session, text);
  return text;
}

/** Whether all but its status is as wanted. @param {ListedSession} session @param {Filter} filter */
export function matchesBesideStatus(session, { prefix, labels, text }) {
  return (
    session.session_id.startsWith(prefix) &&
    Object.entries(labels).every(([key, value]) => session.labels?.[key] === value) &&
    (!text || searchedText(session).includes(text.toLowerCase()))
  );
}

/** @param {ListedSession} session @param {Filter} filter */
export function matches(session, filter) {
  return (!filter.status || session.status === filter.status) && matchesBesideStatus(session, filter);
}

/** How many sessions there are of each status, and in all. @param {readonly ListedSession[]} sessions @param {Filter} filter */
export function countsOf(sessions, filter) {
  const counts = { all: 0, running: 0, pending: 0, error: 0, completed: 0 };
  for (const session of sessions) {
    if (!matchesBesideStatus(session, filter)) continue;
    counts.all += 1;
    counts[session.status] += 1;
  }
  return counts;
}

/**
 * The filter in an address: `?status=running&label=team:web&prefix=alice-&q=import`. What makes no sense is left out.
 * @param {string} search
 * @returns {Filter}
 */
export function filterOf(search) {
  const query = new URLSearchParams(search);
  return {
    prefix: query.get("prefix") ?? "",
    labels: labelsIn(query.getAll("label")),
    status: STATUSES.find((status) => status === query.get("status")) ?? "",
    text: query.get("q") ?? "",
  };
}

/** Labels as an address or an attribute has them: `key:value`. @param {readonly string[]} texts */
export function labelsIn(texts) {
  const pairs = texts.map((text) => /^([^:]+):(.*)$/su.exec(text) ?? []);
  return Object.fromEntries(pairs.flatMap(([, key, value]) => (key && value !== undefined ? [[key, value]] : [])));
}

/** The reverse of `filterOf`: "" without any filter. @param {Filter} filter */
export function searchOf({ prefix, labels, status, text }) {
  const query = new URLSearchParams();
  if (prefix) query.set("prefix", prefix);
  for (const pair of Object.entries(labels)) query.append("label", pair.join(":"));
  if (status) query.set("status", status);
  if (text) query.set("q", text);
  const search = query.toString();
  return search && `?${search}`;
}
