/* Durations as numbers and units; Language writes them in words. */

const SECOND_MS = 1000;

/** @typedef {"unit_d" | "unit_h" | "unit_min" | "unit_s"} Unit The text of a unit. */

/** @type {readonly (readonly [Unit, number])[]} The units, with their seconds. */
const UNITS = [
  ["unit_d", 86_400],
  ["unit_h", 3600],
  ["unit_min", 60],
  ["unit_s", 1],
];

/** As a clock shows it: 5:00, 1:02:03. @param {number} ms */
export function clock(ms) {
  const seconds = wholeSeconds(ms);
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  const padded = (/** @type {number} */ value) => String(value).padStart(2, "0");
  return hours ? `${hours}:${padded(minutes)}:${padded(seconds % 60)}` : `${minutes}:${padded(seconds % 60)}`;
}

/**
 * The largest unit of a duration and the next one, each as a whole number; people do not ask for more. The second is
 * left out where it is 0.
 * @param {number} ms
 * @returns {[Unit, number][]}
 */
export function unitsOf(ms) {
  const seconds = wholeSeconds(ms);
  const largest = UNITS.findIndex(([, size]) => seconds >= size);
  if (largest < 0) return [["unit_s", 0]];
  let left = seconds;
  return UNITS.slice(largest, largest + 2).flatMap(([unit, size], index) => {
    const count = Math.floor(left / size);
    left %= size;
    return index && !count ? [] : [/** @type {[Unit, number]} */ ([unit, count])];
  });
}

/** @param {number} ms */
function wholeSeconds(ms) {
  return Math.max(0, Math.floor(ms / SECOND_MS));
}
