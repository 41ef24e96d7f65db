/* A page of the list of sessions: how it is asked for, and what it has. */

/** @typedef {import("../lib/wire.js").ListFilter} ListFilter */
/** @typedef {import("../lib/wire.js").SessionList} SessionList */

/** @param {ListFilter} filter */
export function queryOf({ prefix = "", labels = {}, status }) {
  const query = new URLSearchParams({ prefix });
  for (const [key, value] of Object.entries(labels).sort()) query.append("label", `${key}:${value}`);
  for (const each of [status || []].flat().sort()) query.append("status", each);
  return query.toString();
}

/** A page of the list, as a stream has it. @param {any} page @returns {SessionList} */
export function listOf({ sessions, next }) {
  return { sessions, more: next !== null };
}
