import { copyButton, make } from "../lib/dom.js";
import { requestFor } from "../page/commands.js";
import { curlParts, quoted, sessionUrl } from "../page/curl.js";
import { freshSessionId } from "../page/session-url.js";
import { pageOf } from "./session-page.js";

/** @typedef {import("../lib/language.js").Language["texts"]} Texts */

const FIRST_JOB = "my-job";

/**
 * Fills a `<details>`, below its summary, with the line that starts a job, and a link to a job that is reported by hand.
 * @param {HTMLDetailsElement} panel
 * @param {{texts: Texts, prefix: string, needsToken: boolean}} options The prefix begins the ids of this visitor's jobs.
 */
export function fillStartPanel(panel, { texts, prefix, needsToken }) {
  const id = prefix + FIRST_JOB;
  const url = document.baseURI.replace(/\/$/, "");
  const [name = ""] = texts.sample_steps.split(", ");
  const run = `progress-sse run --url ${quoted(url)} --session ${quoted(id)} --name ${quoted(name)} -- sleep 20`;
  const creation = requestFor({ action: "create", step: 0 }, sessionUrl(document.baseURI, id), texts);
  const curl = curlParts(creation, needsToken).join(" ");
  const status = make("span", "visually-hidden");
  status.setAttribute("role", "status");
  const byHand = make("a", "", texts.start_by_hand);
  byHand.href = pageOf(prefix + freshSessionId());
  const hint = make("p", "quiet token-hint", texts.token);
  hint.hidden = !needsToken;
  panel.append(
    make("p", "quiet", texts.start_hint),
    hint,
    command("progress-sse", run, texts, status),
    command("curl", curl, texts, status),
    make("p", "quiet by-hand", byHand, " ", texts.start_by_hand_hint),
    status,
  );
}

/** @param {string} name @param {string} text @param {Texts} texts @param {HTMLElement} status */
function command(name, text, texts, status) {
  const copy = copyButton(
    texts,
    () => text,
    (answer) => status.replaceChildren(answer),
  );
  copy.ariaLabel = `${texts.copy}: ${name}`;
  const head = make("div", "command-head", make("h2", "", name), copy);
  return make("div", "command", head, make("pre", "", make("code", "", text)));
}
