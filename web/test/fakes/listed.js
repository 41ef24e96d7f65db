/**
 * A session as lists have it, created so many minutes ago.
 * @param {number} age
 * @param {Partial<import("../../lib/wire.js").ListedSession>} [changes]
 * @returns {import("../../lib/wire.js").ListedSession}
 */
export function listed(age, changes = {}) {
  const time = new Date(Date.UTC(2026, 0, 2) - 60_000 * age).toISOString().replace("Z", "+00:00");
  return {
    session_id: `s${age}`,
    current_step: 1,
    total_steps: 3,
    status: "running",
    percentage: 0,
    estimated_remaining_ms: 0,
    created_at: time,
    updated_at: time,
    ...changes,
  };
}
