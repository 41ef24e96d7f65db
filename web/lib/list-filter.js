/* Which sessions of a list are shown, and in what order: pure functions. No DOM. */
import { STATUSES, statusesOf } from "./list-entry.js";

/** @typedef {import("./wire.js").ListedSession} ListedSession */
/** @typedef {import("./wire.js").ListStatus} ListStatus */

/**
 * What a visitor wants to see: all of it must hold.
 * @typedef {object} Filter
 * @property {string} prefix Of the ids.
 * @property {Readonly<Record<string, string>>} labels
 * @property {readonly ListStatus[]} statuses Any of them, in the order of `STATUSES`; none stand for all.
 * @property {string} text In the title, the id or a label.
 */

/** @type {Filter} */
export const NO_FILTER = { prefix: "", labels: {}, statuses: [], text: "" };

/** The statuses that can be chosen by one click, by the name of their text. @satisfies {Record<string, readonly ListStatus[]>} */
export const GROUPS = /** @type {const} */ ({
  list_attention: ["stalled", "failed", "lost"],
  list_all: [],
  list_running: ["running"],
  list_pending: ["pending"],
  list_failed: ["failed"],
  list_cancelled: ["cancelled"],
  list_completed: ["completed"],
});

/** @typedef {keyof typeof GROUPS} Group */

/** The group of these statuses, if they are one. @param {readonly ListStatus[]} statuses */
export function groupOf(statuses) {
  const names = /** @type {Group[]} */ (Object.keys(GROUPS));
  return names.find((name) => GROUPS[name].join() === statuses.join());
}

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

/** Whether it has one of these statuses. @param {ListedSession} session @param {readonly ListStatus[]} statuses */
export function isAmong(session, statuses) {
  return !statuses.length || statusesOf(session).some((status) => statuses.includes(status));
}

/** Those that need attention first, each part in its order. @param {readonly ListedSession[]} sessions */
export function attentionFirst(sessions) {
  const needsAttention = (/** @type {ListedSession} */ session) => isAmong(session, GROUPS.list_attention);
  return [...sessions.filter(needsAttention), ...sessions.filter((session) => !needsAttention(session))];
}

/**
 * The filter in an address: `?status=failed&status=lost&label=team:web&prefix=alice-&q=import`. What makes no sense is
 * left out.
 * @param {string} search
 * @returns {Filter}
 */
export function filterOf(search) {
  const query = new URLSearchParams(search);
  return {
    prefix: query.get("prefix") ?? "",
    labels: labelsIn(query.getAll("label")),
    statuses: statusesIn(query.getAll("status")),
    text: query.get("q") ?? "",
  };
}

/** @param {readonly string[]} texts */
export function statusesIn(texts) {
  return STATUSES.filter((status) => texts.includes(status));
}

/** Labels as an address or an attribute has them: `key:value`. @param {readonly string[]} texts */
export function labelsIn(texts) {
  const pairs = texts.map((text) => /^([^:]+):(.*)$/su.exec(text) ?? []);
  return Object.fromEntries(pairs.flatMap(([, key, value]) => (key && value !== undefined ? [[key, value]] : [])));
}

/** The reverse of `filterOf`: "" without any filter. @param {Filter} filter */
export function searchOf({ prefix, labels, statuses, text }) {
  const query = new URLSearchParams();
  if (prefix) query.set("prefix", prefix);
  for (const pair of Object.entries(labels)) query.append("label", pair.join(":"));
  for (const status of statuses) query.append("status", status);
  if (text) query.set("q", text);
  const search = query.toString();
  return search && `?${search}`;
}
