// better-sse on node:http: a channel per session, a broadcast per publish.
import { createServer } from "node:http";
import { createChannel, createSession } from "better-sse";

const HEARTBEAT_MS = 15_000;

/** @type {Map<string, ReturnType<typeof createChannel>>} */
const channels = new Map();
let published = 0;

/** @param {string} name */
function channelOf(name) {
  const channel = channels.get(name) ?? createChannel();
  channels.set(name, channel);
  return channel;
}

createServer(async (request, response) => {
  const channel = channelOf(request.url ?? "");
  if (request.method === "GET") {
    channel.register(await createSession(request, response, { keepAlive: HEARTBEAT_MS }));
    return;
  }
  let body = "";
  for await (const chunk of request) body += chunk;
  published += 1;
  channel.broadcast(JSON.parse(body), "step", { eventId: String(published) });
  response.writeHead(204).end();
}).listen({ host: "127.0.0.1", port: Number(process.argv[2]), backlog: 4096 });
