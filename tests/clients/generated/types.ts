import type { components, operations } from "./progress.js";

type Schemas = components["schemas"];
type Body = operations["reportUpdate"]["requestBody"]["content"]["application/json"];

export const update: Body = { action: "start", step: 1, labels: { customer: null } };
export const percentage = (session: Schemas["Session"]): number => session.percentage;
export const kind = (event: Schemas["StreamEvent"]): "snapshot" | undefined =>
  event.event === "snapshot" ? event.event : undefined;

// @ts-expect-error: there is no such action
export const unknown: Body = { action: "stop" };

// @ts-expect-error: only what a description says may be null
export const missing: Body = { action: "start", step: null };
