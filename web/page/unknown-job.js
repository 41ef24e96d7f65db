import { factOf, loadHome } from "../home/page-facts.js";
import { pageOf } from "../home/session-page.js";
import { isolated, make } from "../lib/dom.js";
import { icon, iconOf } from "../lib/icons.js";

/** @typedef {import("../lib/language.js").Language} Language */
/** @typedef {import("../lib/wire.js").ListedSession} ListedSession */

const SHOWN = 5;

/**
 * Fills a section of the page of an id that no job has reported under: whether the id is right, and the newest jobs, as
 * the visitor may have meant one of them.
 * @param {HTMLElement} section
 * @param {Language} language
 * @param {boolean} leadsHome Whether the page leads its visitor to other jobs.
 */
export async function fillUnknown(section, language, leadsHome) {
  const jobs = leadsHome ? await newestJobs().catch(() => []) : [];
  section.append(make("p", "", language.text("is_id_right")));
  if (!jobs.length) return;
  const list = make("ul", "newest", ...jobs.map((job) => item(job, language)));
  // Safari drops the role of a list without markers.
  list.setAttribute("role", "list");
  section.append(make("h2", "", language.text("newest")), list);
}

/** Those that this visitor may list, as the home page says. @returns {Promise<ListedSession[]>} */
async function newestJobs() {
  const home = await loadHome();
  /** @type {string[]} */
  const [prefix] = JSON.parse((home && factOf("list", home)) || "[]");
  if (prefix === undefined) return [];
  const response = await fetch(`api/progress?limit=${SHOWN}&prefix=${encodeURIComponent(prefix)}`);
  return response.ok ? (await response.json()).sessions : [];
}

/** @param {ListedSession} job @param {Language} language */
function item({ session_id, title, status, conclusion, liveness, created_at }, language) {
  const state = iconOf(status, { conclusion, isStalled: liveness?.state === "stalled" });
  const link = make("a", "", isolated(title || session_id));
  link.href = pageOf(session_id);
  const word = language.texts[/** @type {keyof Language["texts"]} */ (`step_${state}`)];
  const created = language.moment(Date.parse(created_at), Date.now());
  const facts = make("span", "quiet", language.joined([word, created]));
  return make("li", "", make("span", "icon", icon(state)), make("span", "", link, " ", facts));
}
