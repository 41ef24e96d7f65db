// Reports a job by a generated client and follows it: node drive.js URL
import { Configuration, ResponseError, SessionsApi, StreamsApi, type Session, type UpdateBody } from "./progress";

declare const process: { argv: string[] };

const configuration = new Configuration({ basePath: process.argv[2] ?? "" });
const sessions = new SessionsApi(configuration);
const sessionId = "typescript";

async function main(): Promise<void> {
  await sessions.createSession({ sessionId, createBody: { totalSteps: 2 } });
  const stream = new StreamsApi(configuration).followSession({ sessionId });
  for (const step of [1, 2]) {
    for (const action of ["start", "complete"] as const) {
      const updateBody: UpdateBody = { action, step };
      await sessions.reportUpdate({ sessionId, updateBody, idempotencyKey: crypto.randomUUID() });
    }
    const session: Session = await sessions.getSession({ sessionId });
    console.log(session.status, session.percentage, session.steps.at(-1)?.status);
  }
  try {
    await sessions.reportUpdate({ sessionId, updateBody: { action: "beat", step: 9 } });
  } catch (error) {
    if (!(error instanceof ResponseError)) throw error;
    console.log((await error.response.json()).type);
  }
  for (const line of (await stream)?.split("\n") ?? []) if (line.startsWith("event: ")) console.log(line);
}

void main();
