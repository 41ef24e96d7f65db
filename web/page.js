/*
 * The page at `/` and `/s/{session_id}`: one session, followed by a ProgressTracker.
 * Whatever a worker wrote becomes text, in a <bdi> so that its direction stays its own; never markup.
 */
import { curlParts, updateUrl } from "./curl.js";
import { languageFor, partsOf, TEXTS } from "./texts.js";

/**
 * @typedef {import("./wire.js").Progress} Progress
 * @typedef {import("./wire.js").Step} Step
 * @typedef {import("./texts.js").TextKey} TextKey
 */

const ICONS = { pending: "⏳", running: "🔄", success: "✅", error: "❌" };
/** A connection that is back within this time was never worth a word. */
const TROUBLE_SHOWN_AFTER_MS = 2000;
const MILESTONE_GAP_MS = 10_000;
const COPIED_SHOWN_MS = 2000;
/** Below this the bar is too short for the number in it. */
const NARROW_PERCENT = 16;

const language = languageFor(navigator.languages);
const texts = TEXTS[language];

/** @param {string} id */
function element(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no #${id}`);
  return found;
}

/**
 * @param {string} tag
 * @param {{className?: string, textContent?: string}} [properties]
 * @param {(Node | string)[]} children
 */
function create(tag, properties = {}, ...children) {
  const created = Object.assign(document.createElement(tag), properties);
  created.append(...children);
  return created;
}

/**
 * The nodes of a text, each value in a <bdi> of its own.
 * @param {TextKey} key
 * @param {Record<string, string | number>} [values]
 */
function nodesOf(key, values = {}) {
  return partsOf(texts[key]).map((part) =>
    typeof part === "string"
      ? document.createTextNode(part)
      : create("bdi", { textContent: String(values[part.name] ?? "") }),
  );
}

/**
 * @param {TextKey} key
 * @param {Record<string, string | number>} [values]
 */
function textOf(key, values) {
  return nodesOf(key, values)
    .map((node) => node.textContent)
    .join("");
}

/**
 * Touches the document only where it changes, so that a selection survives.
 * @param {Element} target
 * @param {Node[]} nodes
 */
function show(target, ...nodes) {
  const shown = [...target.childNodes];
  if (shown.length === nodes.length && nodes.every((node, index) => shown[index]?.isEqualNode(node))) return;
  target.replaceChildren(...nodes);
}

/**
 * The session in the address; on `/` a fresh one, which goes into the address, so that it outlives a reload.
 * @returns {string}
 */
function sessionOfPage() {
  const folder = new URL("s/", document.baseURI).pathname;
  if (location.pathname.startsWith(folder)) {
    // A bare % stands for itself, in the address bar as on the server, which has refused what is not UTF-8.
    return decodeURIComponent(location.pathname.slice(folder.length).replace(/%(?![0-9a-f]{2})/gi, "%25"));
  }
  const fresh = freshSessionId();
  history.replaceState(null, "", `s/${fresh}`);
  return fresh;
}

/** 60 random bits, in letters that are not taken for one another: whoever knows the id may follow, and post. */
function freshSessionId() {
  const letters = "0123456789abcdefghjkmnpqrstvwxyz";
  const random = Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) => letters[byte % letters.length]);
  return [0, 4, 8].map((start) => random.slice(start, start + 4).join("")).join("-");
}

/** Says one thing at a time to a screen reader, and not too often: of several things only the last is still true. */
class Announcer {
  #region;
  #waiting = "";
  #resting = false;

  /** @param {HTMLElement} region */
  constructor(region) {
    this.#region = region;
  }

  /** @param {string} text */
  say(text) {
    this.#waiting = text;
    if (!this.#resting) this.#speak();
  }

  #speak() {
    this.#resting = this.#waiting !== "";
    if (!this.#resting) return;
    this.#region.textContent = this.#waiting;
    this.#waiting = "";
    setTimeout(() => this.#speak(), MILESTONE_GAP_MS);
  }
}

/** The badge: how the page is connected, in a colour, a shape and a word. */
class Badge {
  #target;
  #page;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #delay;

  /** @param {HTMLElement} target @param {HTMLElement} page */
  constructor(target, page) {
    this.#target = target;
    this.#page = page;
  }

  /** @param {import("./wire.js").TrackerState} state @param {number} interval_ms */
  follow(state, interval_ms) {
    clearTimeout(this.#delay);
    const isTrouble = state === "connecting" || state === "reconnecting";
    if (isTrouble && navigator.onLine) {
      this.#delay = setTimeout(() => this.#show(state, interval_ms), TROUBLE_SHOWN_AFTER_MS);
    } else {
      this.#show(isTrouble ? "offline" : state, interval_ms);
    }
  }

  /** @param {string} state @param {number} interval_ms */
  #show(state, interval_ms) {
    const key = /** @type {TextKey} */ (`connection_${state}`);
    this.#target.textContent = textOf(key, { seconds: interval_ms / 1000 });
    this.#target.hidden = false;
    this.#page.dataset.connection = state;
  }
}

/**
 * @param {Step} step
 * @param {number} now_ms
 */
function elapsedText(step, now_ms) {
  if (step.status === "pending") return "";
  if (step.status !== "running") return textOf("elapsed", { seconds: (step.elapsed_ms / 1000).toFixed(1) });
  const elapsed_ms = Math.max(0, now_ms - Date.parse(step.started_at ?? ""));
  return textOf("elapsed", { seconds: Math.floor(elapsed_ms / 1000) });
}

/** @param {Step} step */
function messageOf(step) {
  return step.status === "pending" ? "" : step.message;
}

/** @param {Step} step */
function stepItem(step) {
  const icon = create("span", { className: "icon", textContent: ICONS[step.status] });
  icon.setAttribute("role", "img");
  icon.setAttribute("aria-label", texts[/** @type {TextKey} */ (`step_${step.status}`)]);
  const name = create("bdi", { className: "name", textContent: step.name });
  const message = create("bdi", { className: "message", textContent: messageOf(step) });
  const line = create("p", {}, name, " ", create("span", { className: "elapsed" }));
  const item = create("li", {}, icon, " ", create("div", {}, line, message));
  item.dataset.status = step.status;
  if (step.status === "running") item.setAttribute("aria-current", "step");
  return item;
}

class StepList {
  #list;
  /** What each item was made of. @type {string[]} */
  #made = [];

  /** @param {HTMLElement} list */
  constructor(list) {
    this.#list = list;
  }

  /** @param {Step[]} steps @param {number} now_ms */
  show(steps, now_ms) {
    this.#made.length = Math.min(this.#made.length, steps.length);
    while (this.#list.children.length > steps.length) this.#list.lastElementChild?.remove();
    steps.forEach((step, index) => this.#showStep(step, index, now_ms));
  }

  /** @param {Step} step @param {number} index @param {number} now_ms */
  #showStep(step, index, now_ms) {
    const made = JSON.stringify(step);
    if (made !== this.#made[index]) {
      this.#made[index] = made;
      const item = stepItem(step);
      const old = this.#list.children[index];
      if (old) old.replaceWith(item);
      else this.#list.append(item);
      this.#tick(item, step, now_ms);
    } else if (step.status === "running") {
      this.#tick(this.#list.children[index], step, now_ms);
    }
  }

  /** @param {Element | undefined} item @param {Step} step @param {number} now_ms */
  #tick(item, step, now_ms) {
    const elapsed = item?.querySelector(".elapsed");
    if (elapsed) elapsed.textContent = elapsedText(step, now_ms);
  }
}

/** @param {Progress} data */
function showBar(data) {
  const { percentage } = data;
  const isWaiting = data.status === "not_found";
  const bar = element("progress-bar");
  bar.style.width = `${percentage}%`;
  bar.classList.toggle("narrow", percentage < NARROW_PERCENT);
  element("progress-text").textContent = `${percentage}%`;
  // A progressbar without a value is one whose end is not known.
  if (isWaiting) element("progress").removeAttribute("aria-valuenow");
  else element("progress").setAttribute("aria-valuenow", String(percentage));
}

/** @param {Progress} data */
function headlineOf(data) {
  const step = data.steps[data.current_step - 1];
  const failed = data.steps.find(({ status }) => status === "error");
  return nodesOf(data.status, {
    step: data.status === "error" ? (failed?.step ?? data.current_step) : data.current_step,
    total: data.total_steps,
    name: step?.name ?? "",
  });
}

/** @param {Progress} data */
function summaryOf(data) {
  if (data.status === "not_found") return nodesOf("soon");
  const done = data.steps.filter(({ status }) => status === "success").length;
  return nodesOf("counted", { done, total: data.total_steps });
}

/** @param {Progress} data */
function failuresOf(data) {
  return data.steps.flatMap((step) => {
    if (step.status !== "error") return [];
    const title = create("p", {}, ...nodesOf("failure", { step: step.step, name: step.name }));
    return step.error ? [title, create("pre", {}, create("bdi", { textContent: step.error }))] : [title];
  });
}

/** @param {Progress} data */
function titleOf(data) {
  const marks = { completed: "✓", error: "✗", not_found: "…", pending: "0%", running: `${data.percentage}%` };
  return `${marks[data.status]} – ${data.session_id}`;
}

/**
 * What has happened since, if it is worth saying aloud. A failure has an alert of its own.
 * @param {Progress} before
 * @param {Progress} data
 */
function milestoneOf(before, data) {
  const quarter = Math.floor(data.percentage / 25);
  const isNewStep = data.current_step !== before.current_step || data.status !== before.status;
  if (data.status === "completed" || (data.status === "running" && isNewStep)) {
    return headlineOf(data)
      .map((node) => node.textContent)
      .join("");
  }
  return data.status === "running" && quarter > Math.floor(before.percentage / 25)
    ? textOf("milestone", { percentage: quarter * 25 })
    : "";
}

/** @param {string} text */
async function copied(text) {
  try {
    // Missing where the page is no secure context, as over plain HTTP on a LAN.
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copiedBySelection(text);
  }
}

/** @param {string} text */
function copiedBySelection(text) {
  const area = Object.assign(document.createElement("textarea"), { value: text, className: "visually-hidden" });
  const focused = document.activeElement;
  document.body.append(area);
  area.select();
  const isCopied = document.execCommand("copy");
  area.remove();
  if (focused instanceof HTMLElement) focused.focus();
  return isCopied;
}

/**
 * @param {string} label
 * @param {string[]} parts
 */
function command(label, parts) {
  const button = create("button", { textContent: texts.copy });
  button.setAttribute("aria-label", `${texts.copy}: ${label}`);
  button.addEventListener("click", async () => {
    const answer = (await copied(parts.join(" "))) ? texts.copied : texts.copy_failed;
    button.textContent = answer;
    announcer.say(answer);
    setTimeout(() => (button.textContent = texts.copy), COPIED_SHOWN_MS);
  });
  const head = create("div", { className: "command-head" }, create("h2", { textContent: label }), button);
  const code = create("code", {}, ...parts.flatMap((textContent) => [create("span", { textContent }), " "]).slice(0, -1));
  return create("div", { className: "command" }, head, create("pre", {}, code));
}

/** The commands for what a worker would do next. */
class Drive {
  #offered = 0;
  #url;
  #needsToken;

  /** @param {string} sessionId */
  constructor(sessionId) {
    const publish = document.querySelector('meta[name="progress-publish"]');
    this.#url = updateUrl(document.baseURI, sessionId);
    this.#needsToken = publish?.getAttribute("content") === "token";
    element("token-hint").hidden = !this.#needsToken;
  }

  /** @param {Progress} data */
  show(data) {
    const next = data.steps.find(({ status }) => status !== "success")?.step ?? 1;
    const panel = /** @type {HTMLDetailsElement} */ (element("drive"));
    panel.hidden = data.status === "completed";
    if (!this.#offered) panel.open = data.status === "not_found";
    if (next === this.#offered) return;
    this.#offered = next;
    const commands = /** @type {const} */ (["start", "complete"]).map((action) =>
      command(textOf(action, { step: next }), curlParts(this.#url, { action, step: next }, this.#needsToken)),
    );
    element("commands").replaceChildren(...commands);
  }
}

function translatePage() {
  document.documentElement.lang = language;
  for (const target of document.querySelectorAll("[data-text]")) {
    target.textContent = texts[/** @type {TextKey} */ (target.getAttribute("data-text"))];
  }
}

translatePage();
const sessionId = sessionOfPage();
element("session-id").textContent = sessionId;

const page = element("page");
const announcer = new Announcer(element("milestone"));
const badge = new Badge(element("connection"), page);
const list = new StepList(element("step-list"));
const drive = new Drive(sessionId);
/** @type {Progress | null} */
let data = null;
let frame = 0;

function draw() {
  frame = 0;
  if (!data) return;
  page.dataset.status = data.status;
  show(element("headline"), ...headlineOf(data));
  show(element("summary"), ...summaryOf(data));
  show(element("failure"), ...failuresOf(data));
  showBar(data);
  list.show(data.steps, tracker.now());
  drive.show(data);
}

/** However fast updates come, the document is written once a frame. */
function drawSoon() {
  frame ||= requestAnimationFrame(draw);
}

function followConnection() {
  badge.follow(tracker.state, tracker.interval);
  if (tracker.state === "denied" && !data) show(element("headline"), ...nodesOf("denied"));
}

const tracker = new ProgressTracker(sessionId, {
  stopOnError: false,
  onUpdate(update) {
    const milestone = data && milestoneOf(data, update);
    if (milestone) announcer.say(milestone);
    data = update;
    document.title = titleOf(data);
    drawSoon();
  },
});
tracker.addEventListener("statechange", followConnection);
addEventListener("online", followConnection);
addEventListener("offline", followConnection);
setInterval(drawSoon, 1000);
void tracker.start();
