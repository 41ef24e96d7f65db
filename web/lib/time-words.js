/* The time that a session has left, in words. No DOM. */

/** @typedef {import("./language.js").Language} Language */
/** @typedef {import("./time-left.js").TimeLeft} TimeLeft */

const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
const CLOCK_GRAIN_MS = 10 * MINUTE_MS;
/** From here on a time of day says more than a duration. */
const LONG_MS = 59 * MINUTE_MS;
/** As a share of the shorter: how far two durations are apart that are said as one. */
const MAX_APART = 0.2;
/** A day of the year says nothing of what is further away. */
const TOO_LONG_MS = 300 * 24 * 60 * MINUTE_MS;

/**
 * Never more precise than what is known: "usually 3–5 min left", "done about 14:20".
 * @param {TimeLeft} left
 * @param {number} now_ms
 * @param {Language} language
 * @returns {string} Empty where nothing is known.
 */
export function timeWords(left, now_ms, language) {
  if (left === null) return "";
  if (typeof left === "string") return language.text(left);
  const { p50_ms, p90_ms } = left;
  if (p90_ms >= TOO_LONG_MS) return "";
  if (p90_ms >= LONG_MS) return clockWords(left, now_ms, language);
  const grain_ms = p90_ms <= 50 * SECOND_MS ? 10 * SECOND_MS : MINUTE_MS;
  const [low, high] = [Math.round(p50_ms / grain_ms), Math.ceil(p90_ms / grain_ms)];
  const areNear = p90_ms <= (1 + MAX_APART) * p50_ms || low === high || low === Math.round(p90_ms / grain_ms);
  if (areNear || p90_ms < grain_ms) {
    return language.text("time_left", { time: language.roughly(p90_ms) });
  }
  const duration = language.duration(high * grain_ms);
  if (low === 0) return language.text("usually_within", { duration });
  const unit_ms = grain_ms < MINUTE_MS ? SECOND_MS : MINUTE_MS;
  const from = language.number((low * grain_ms) / unit_ms);
  return language.text("usually_left", { time: language.text("range", { from, to: duration }) });
}

/** @param {{p50_ms: number, p90_ms: number}} left @param {number} now_ms @param {Language} language */
function clockWords({ p50_ms, p90_ms }, now_ms, language) {
  const from_ms = Math.round((now_ms + p50_ms) / CLOCK_GRAIN_MS) * CLOCK_GRAIN_MS;
  const to_ms = p50_ms === p90_ms ? from_ms : Math.ceil((now_ms + p90_ms) / CLOCK_GRAIN_MS) * CLOCK_GRAIN_MS;
  const from = language.moment(from_ms, now_ms);
  const to = language.moment(to_ms, now_ms);
  const time = from === to ? from : language.text("range", { from, to });
  return language.text("done_about", { time });
}
