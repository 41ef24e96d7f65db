// better-sse on node:http, with an event buffer that it replays.
import { createServer } from "node:http";
import { createSession } from "better-sse";

createServer(async (request, response) => {
  if (!request.url.startsWith("/events")) return response.writeHead(404).end();
  const session = await createSession(request, response, { keepAlive: 1000 });
  let n = 0;
  const timer = setInterval(() => session.push(`event ${n}`, "message", String(n++)), 200);
  session.once("disconnected", () => clearInterval(timer));
}).listen(Number(process.argv[2]), "127.0.0.1");
