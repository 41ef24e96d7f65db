/* The demo's page: three jobs that begin again and again, one of the visitor's own, and ways to break the connection. */
import "../lib/define.js";
import { element, translatePage } from "../lib/dom.js";
import { ProgressTracker } from "../lib/index.js";
import { languageFor, TEXTS } from "../lib/texts.js";
import { Drive } from "../page/command-panel.js";
import { DEMO_TEXTS } from "./demo-texts.js";

/** @typedef {import("../lib/progress-steps.js").ProgressSteps} ProgressSteps */

/** The end of a job is worth looking at for a while. */
const END_SHOWN_MS = 4000;
const LOOK_AGAIN_MS = 500;

const language = languageFor(navigator.languages);
const texts = { ...TEXTS[language], ...DEMO_TEXTS[language] };

/** @param {"steady" | "retried" | "unknown" | "yours"} id */
function labelled(id) {
  const steps = /** @type {ProgressSteps} */ (element(id));
  steps.label = texts[id];
  return steps;
}

/** The newest session of a job; the demo numbers them. @param {string} job */
async function newestSession(job) {
  const response = await fetch("api/progress?limit=100");
  /** @type {{sessions: {session_id: string}[]}} */
  const { sessions } = await response.json();
  return sessions.find(({ session_id }) => session_id.startsWith(`${job}-`))?.session_id;
}

/** Shows the next session of a job as soon as there is one. @param {ProgressSteps} steps */
async function showNext(steps) {
  const newest = await newestSession(steps.id).catch(() => undefined); // the server may be away
  if (newest && newest !== steps.session) steps.session = newest;
  else setTimeout(() => showNext(steps), LOOK_AGAIN_MS);
}

/** @param {"steady" | "retried" | "unknown"} job */
function follow(job) {
  const steps = labelled(job);
  steps.addEventListener("progress-complete", () => setTimeout(() => showNext(steps), END_SHOWN_MS));
  void showNext(steps);
}

/** A session that nobody else uses; in the address, so that it outlives a reload. */
function ownSession() {
  if (!/^#yours-\w+$/.test(location.hash)) history.replaceState(null, "", `#yours-${crypto.randomUUID().slice(0, 8)}`);
  return location.hash.slice(1);
}

function offerDriving() {
  const steps = labelled("yours");
  const sessionId = ownSession();
  const drive = new Drive(/** @type {HTMLDetailsElement} */ (element("drive")), { sessionId, texts });
  steps.addEventListener("progress-update", (event) => {
    drive.show(event.detail.data);
  });
  steps.session = sessionId;
}

/** @param {"cut" | "buffer" | "restart"} fault @param {(response: Response) => void} [onDone] */
function breakBy(fault, onDone) {
  element(fault).addEventListener("click", async () => {
    const response = await fetch(`demo/${fault}`, { method: "POST" }).catch(() => null); // the server may be away
    if (response?.ok) onDone?.(response);
  });
}

/** @type {ReturnType<typeof setTimeout> | undefined} */
let mending;

/** The button stays pressed as long as the proxy is bad. @param {Response} response */
async function showBuffering(response) {
  /** @type {{buffering_ms: number}} */
  const { buffering_ms } = await response.json();
  clearTimeout(mending);
  element("buffer").ariaPressed = String(buffering_ms > 0);
  if (buffering_ms) mending = setTimeout(() => (element("buffer").ariaPressed = "false"), buffering_ms);
}

// A bundle has no address from which index.js could derive the server's.
ProgressTracker.baseUrl = document.baseURI.replace(/\/$/, "");

translatePage(language, texts);
follow("steady");
follow("retried");
follow("unknown");
offerDriving();
breakBy("cut");
breakBy("buffer", showBuffering);
breakBy("restart");
