import { Timers } from "./timers.js";
import { fetchWithToken } from "./tokens.js";

/** @typedef {import("../lib/wire.js").Part} Part */
/** @typedef {import("../lib/wire.js").RequestKind} RequestKind */
/** @typedef {import("../lib/wire.js").RequestOptions} RequestOptions */
/** @typedef {import("../lib/wire.js").SessionRequest} SessionRequest */
/** @typedef {import("../lib/wire.js").StepDefinition} StepDefinition */
/** @typedef {import("./types.js").Token} Token */

/**
 * @typedef {object} Answer
 * @property {number} status 0 if there was none.
 * @property {any} body
 * @property {number} retryAfter_ms
 */

const DEADLINE_MS = 10_000;
/** The pauses before a request is sent again that may not have arrived. */
const PAUSES_MS = [500, 1500, 4000];
/** A server that is away for longer is given up. */
const RETRY_AFTER_MAX_MS = 10_000;

/** The server refused a request, or did not answer it. */
class RequestError extends Error {
  /** @override */
  name = "RequestError";

  /** @param {Answer} answer */
  constructor({ status, body }) {
    super(status ? `the server answered ${status}: ${body?.detail ?? ""}` : "the server did not answer");
    this.status = status;
    this.type = String(body?.type ?? "");
  }
}

/** Calls the server about one session and its steps, other than to follow it. */
export class SessionApi {
  #url;
  #sessionId;
  #baseUrl;
  #fetch;
  #token;
  #withCredentials;
  #timers;

  /**
   * @param {object} setup
   * @param {() => string} setup.url Of the session.
   * @param {() => string} setup.sessionId
   * @param {string} setup.baseUrl
   * @param {typeof globalThis.fetch} setup.fetch
   * @param {boolean} setup.withCredentials
   * @param {import("../lib/wire.js").Timers} setup.timers
   * @param {Token | undefined} setup.token
   */
  constructor({ url, sessionId, baseUrl, fetch, withCredentials, timers, token }) {
    this.#url = url;
    this.#sessionId = sessionId;
    this.#baseUrl = baseUrl;
    this.#fetch = fetch;
    this.#token = token;
    this.#withCredentials = withCredentials;
    this.#timers = new Timers(timers);
  }

  /** Whether this reader may ask: `Allow` names the methods that are open to it. @param {AbortSignal} [signal] */
  mayAsk(signal) {
    const methods = (/** @type {Response} */ { ok, headers }) => ok && /\bPOST\b/.test(headers.get("Allow") ?? "");
    return this.#send(`${this.#url()}/requests`, { method: "HEAD" }, signal, async (response) => methods(response));
  }

  /**
   * @param {RequestKind} kind
   * @param {RequestOptions} options
   * @returns {Promise<SessionRequest>}
   */
  async ask(kind, { step, reason, signal }) {
    const init = {
      method: "POST",
      headers: { "Content-Type": "application/json", "Idempotency-Key": randomKey() },
      body: JSON.stringify({ kind, step, reason }),
    };
    for (let sent = 1; ; sent++) {
      const answer = await this.#request(`${this.#url()}/requests`, init, signal);
      if (typeof answer.body?.id === "string") return answer.body;
      const pause_ms = PAUSES_MS[sent - 1];
      if (pause_ms === undefined || !isTransient(answer)) throw new RequestError(answer);
      await this.#pause(Math.max(pause_ms, answer.retryAfter_ms), signal);
    }
  }

  /**
   * @param {number} step
   * @param {AbortSignal} [signal]
   * @returns {Promise<Part[]>}
   */
  async parts(step, signal) {
    const answer = await this.#request(`${this.#url()}/parts?step=${step}`, {}, signal);
    if (!Array.isArray(answer.body?.parts)) throw new RequestError(answer);
    return answer.body.parts;
  }

  /** Of the session. @param {AbortSignal} [signal] */
  steps(signal) {
    return this.#definitions(`?session_id=${encodeURIComponent(this.#sessionId())}`, signal);
  }

  /** The server's own steps. @param {AbortSignal} [signal] */
  serverSteps(signal) {
    return this.#definitions("", signal);
  }

  /**
   * @param {string} query
   * @param {AbortSignal} [signal]
   * @returns {Promise<StepDefinition[]>}
   */
  async #definitions(query, signal) {
    const answer = await this.#request(`${this.#baseUrl}/api/steps${query}`, {}, signal);
    if (!Array.isArray(answer.body?.steps)) throw new RequestError(answer);
    return answer.body.steps;
  }

  /**
   * Rejects only when `signal` is aborted.
   * @param {string} url
   * @param {RequestInit} init
   * @param {AbortSignal} [signal]
   * @returns {Promise<Answer>}
   */
  #request(url, init, signal) {
    return this.#send(url, init, signal, answerOf).catch((error) => {
      if (signal?.aborted) throw error;
      return { status: 0, body: null, retryAfter_ms: 0 };
    });
  }

  /**
   * @template Result
   * @param {string} url
   * @param {RequestInit} init
   * @param {AbortSignal | undefined} signal
   * @param {(response: Response) => Promise<Result>} read
   * @returns {Promise<Result>}
   */
  async #send(url, init, signal, read) {
    signal?.throwIfAborted();
    const request = new AbortController();
    const abort = () => request.abort();
    signal?.addEventListener("abort", abort);
    this.#timers.set(request, DEADLINE_MS, abort);
    try {
      const credentials = /** @type {RequestCredentials} */ (this.#withCredentials ? "include" : "same-origin");
      const whole = { ...init, credentials, cache: /** @type {const} */ ("no-store"), signal: request.signal };
      const fetch = this.#fetch;
      return await read(
        await (this.#token === undefined ? fetch(url, whole) : fetchWithToken(this.#token, fetch, url, whole)),
      );
    } finally {
      signal?.removeEventListener("abort", abort);
      this.#timers.clear(request);
    }
  }

  /** @param {number} ms @param {AbortSignal} [signal] */
  #pause(ms, signal) {
    return new Promise((resolve, reject) => {
      const pause = {};
      const abort = () => {
        this.#timers.clear(pause);
        reject(signal?.reason);
      };
      signal?.addEventListener("abort", abort, { once: true });
      this.#timers.set(pause, ms, () => {
        signal?.removeEventListener("abort", abort);
        resolve(undefined);
      });
    });
  }
}

/** @param {Response} response @returns {Promise<Answer>} */
async function answerOf(response) {
  const { status, headers } = response;
  const body = await response.json().catch(() => null); // A proxy answers in HTML.
  return { status, body, retryAfter_ms: Number(headers.get("Retry-After")) * 1000 || 0 };
}

/** Whether the same request may be answered otherwise soon. @param {Answer} answer */
function isTransient({ status, retryAfter_ms }) {
  if (retryAfter_ms > RETRY_AFTER_MAX_MS) return false;
  return retryAfter_ms > 0 || status === 0 || status === 429 || status >= 500;
}

/** Not by randomUUID, which pages without HTTPS do not have. */
function randomKey() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
