// node:http by hand. Its head waits for the first event.
import { createServer } from "node:http";

createServer((request, response) => {
  if (!request.url.startsWith("/events")) return response.writeHead(404).end();
  response.writeHead(200, { "Content-Type": "text/event-stream", "Cache-Control": "no-store" });
  let n = 0;
  const timer = setInterval(() => response.write(`id: ${n}\ndata: event ${n++}\n\n`), 200);
  response.on("close", () => clearInterval(timer));
}).listen(Number(process.argv[2]), "127.0.0.1");
