// node:http with a list of what was sent: it resumes, and its comments keep a silent stream open.
import { createServer } from "node:http";

const sent = [];
setInterval(() => sent.push(`id: ${sent.length}\ndata: event ${sent.length}\n\n`), 200);
createServer((request, response) => {
  if (request.url !== "/events") return response.writeHead(404).end();
  let next = Number(request.headers["last-event-id"] ?? sent.length - 1) + 1;
  response.writeHead(200, { "Content-Type": "text/event-stream", "Cache-Control": "no-store" }).flushHeaders();
  const timers = [
    setInterval(() => { while (next < sent.length) response.write(sent[next++]); }, 50),
    setInterval(() => response.write(": ping\n\n"), 1000),
  ];
  response.on("close", () => timers.forEach(clearInterval));
}).listen(Number(process.argv[2]), "127.0.0.1");
