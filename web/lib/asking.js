/* What the page of a session loads where its worker takes requests. */
export { RequestRow } from "./request-row.js";
export { SessionRequests } from "./session-requests.js";
