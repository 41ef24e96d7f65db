/* Durations as text. */

const SECOND_MS = 1000;

/** @typedef {{hours: number, minutes: number, seconds: number}} DurationParts */

/** As a clock shows it: 5:00, 1:02:03. @param {number} ms */
export function clock(ms) {
  const { hours, minutes, seconds } = partsOf(ms);
  const padded = (/** @type {number} */ value) => String(value).padStart(2, "0");
  return hours ? `${hours}:${padded(minutes)}:${padded(seconds)}` : `${minutes}:${padded(seconds)}`;
}

/**
 * A function that writes milliseconds in whole seconds, in words: "2 min, 13 sec".
 * @param {string} tag
 * @returns {(ms: number) => string}
 */
export function durationFormat(tag) {
  const style = { style: "short", secondsDisplay: "auto" };
  // Browsers in use lack it, and so does the type library.
  const DurationFormat = /** @type {any} */ (Intl).DurationFormat;
  const format = DurationFormat ? formatByIntl(new DurationFormat(tag, style)) : formatByUnits(tag);
  const zero = unitFormat(tag, "second").format(0);
  return (ms) => format(partsOf(ms)) || zero;
}

/** @param {number} ms @returns {DurationParts} */
function partsOf(ms) {
  const seconds = Math.max(0, Math.floor(ms / SECOND_MS));
  return { hours: Math.floor(seconds / 3600), minutes: Math.floor(seconds / 60) % 60, seconds: seconds % 60 };
}

/** @param {{format: (parts: DurationParts) => string}} format @returns {(parts: DurationParts) => string} */
const formatByIntl = (format) => (parts) => format.format(parts);

/**
 * Close to what Intl.DurationFormat returns.
 * @param {string} tag
 * @returns {(parts: DurationParts) => string}
 */
function formatByUnits(tag) {
  const units = /** @type {const} */ ([
    ["hours", unitFormat(tag, "hour")],
    ["minutes", unitFormat(tag, "minute")],
    ["seconds", unitFormat(tag, "second")],
  ]);
  const list = new Intl.ListFormat(tag, { type: "unit", style: "short" });
  return (parts) =>
    list.format(units.filter(([name]) => parts[name]).map(([name, format]) => format.format(parts[name])));
}

/** @param {string} tag @param {string} name */
function unitFormat(tag, name) {
  return new Intl.NumberFormat(tag, { style: "unit", unit: name, unitDisplay: "short" });
}
