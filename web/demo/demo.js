/* The demo's page: four jobs that repeat, one that the visitor reports, and buttons that break the connection. */
import "../lib/define.js";
import "../lib/define-list.js";
import { element, translatePage } from "../lib/dom.js";
import { ProgressTracker } from "../lib/index.js";
import { languageFor, TEXTS } from "../lib/texts.js";
import { CommandDetails } from "../page/command-details.js";
import { DEMO_TEXTS } from "./demo-texts.js";
import { keepLogOpen } from "./open-log.js";

/** @typedef {import("../lib/progress-steps.js").ProgressSteps} ProgressSteps */

const JOBS = /** @type {const} */ (["agent", "export", "film", "load"]);
/** How long the end of a job is shown. */
const END_SHOWN_MS = 5000;
const LOOK_AGAIN_MS = 500;

const language = languageFor(navigator.languages);
const texts = { ...TEXTS[language], ...DEMO_TEXTS[language] };

/** @param {typeof JOBS[number] | "yours"} id */
function labelled(id) {
  const steps = /** @type {ProgressSteps} */ (element(id));
  steps.label = texts[id];
  return steps;
}

/** The newest session of a job; the demo numbers them. @param {string} job */
async function newestSession(job) {
  const response = await fetch(`api/progress?prefix=${job}-&limit=1`);
  /** @type {{sessions: {session_id: string}[]}} */
  const { sessions } = await response.json();
  return sessions[0]?.session_id;
}

/** Shows the next session of a job as soon as it exists. @param {ProgressSteps} steps */
async function showNext(steps) {
  const newest = await newestSession(steps.id).catch(() => undefined); // the server may be away
  if (newest && newest !== steps.session) steps.session = newest;
  else setTimeout(() => showNext(steps), LOOK_AGAIN_MS);
}

/** @param {typeof JOBS[number]} job */
function follow(job) {
  const steps = labelled(job);
  let ended = "";
  steps.addEventListener("progress-update", ({ detail: { session, data } }) => {
    // After a failure the job tries again.
    const isOver = data.status === "completed" || data.conclusion === "cancelled";
    if (!isOver || session === ended) return;
    ended = session;
    setTimeout(() => showNext(steps), END_SHOWN_MS);
  });
  void showNext(steps);
}

/** A session of this visitor alone. The URL keeps its id over a reload. */
function ownSession() {
  if (!/^#yours-\w+$/.test(location.hash)) history.replaceState(null, "", `#yours-${crypto.randomUUID().slice(0, 8)}`);
  return location.hash.slice(1);
}

function offerCommands() {
  const steps = labelled("yours");
  const sessionId = ownSession();
  const panel = new CommandDetails(/** @type {HTMLDetailsElement} */ (element("drive")), {
    sessionId,
    texts,
    isForDevelopers: true,
  });
  steps.addEventListener("progress-update", (event) => {
    panel.show(event.detail.data);
  });
  steps.session = sessionId;
}

/** Says what to watch for. @param {string} fault */
function showHint(fault) {
  for (const hint of document.querySelectorAll(".fault-hints > p")) {
    hint.classList.toggle("shown", hint.id === `${fault}-watch`);
  }
}

/** @param {"cut" | "buffer" | "restart"} fault @param {(response: Response) => void} [onDone] */
function breakBy(fault, onDone) {
  const button = element(fault);
  for (const type of ["pointerenter", "focus", "click"]) button.addEventListener(type, () => showHint(fault));
  button.addEventListener("click", async () => {
    const response = await fetch(`demo/${fault}`, { method: "POST" }).catch(() => null); // the server may be away
    if (response?.ok) onDone?.(response);
  });
}

/** @type {ReturnType<typeof setTimeout> | undefined} */
let mending;

/** The button stays pressed while the proxy buffers. @param {Response} response */
async function showBuffering(response) {
  /** @type {{buffering_ms: number}} */
  const { buffering_ms } = await response.json();
  clearTimeout(mending);
  element("buffer").ariaPressed = String(buffering_ms > 0);
  if (buffering_ms) mending = setTimeout(() => (element("buffer").ariaPressed = "false"), buffering_ms);
}

// index.js cannot derive the server's address from a bundle's.
ProgressTracker.baseUrl = document.baseURI.replace(/\/$/, "");

translatePage(language, texts);
element("list").lang = language; // It began before the page was translated.
for (const job of JOBS) follow(job);
keepLogOpen(/** @type {ProgressSteps} */ (element("agent")));
offerCommands();
breakBy("cut");
breakBy("buffer", showBuffering);
breakBy("restart");
