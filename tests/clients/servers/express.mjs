// express, with a list of what was sent: it resumes, and it keeps a silent stream open.
import express from "express";

const app = express();
const sent = [];
setInterval(() => sent.push(`id: ${sent.length}\ndata: event ${sent.length}\n\n`), 200);
app.get("/events", (request, response) => {
  let next = Number(request.get("Last-Event-ID") ?? sent.length - 1) + 1;
  response.set({ "Content-Type": "text/event-stream", "Cache-Control": "no-store" }).flushHeaders();
  const timers = [
    setInterval(() => { while (next < sent.length) response.write(sent[next++]); }, 50),
    setInterval(() => response.write(": ping\n\n"), 1000),
  ];
  response.on("close", () => timers.forEach(clearInterval));
});
app.listen(Number(process.argv[2]), "127.0.0.1");
