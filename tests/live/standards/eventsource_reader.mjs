// Reads a stream with npm's eventsource package, and prints what an application would see as one line of JSON.
// usage: node eventsource_reader.mjs <folder that has the package> <url> <number of events>
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [folder, url, count] = process.argv.slice(2);
const path = createRequire(join(folder, "package.json")).resolve("eventsource");
const { EventSource } = await import(pathToFileURL(path).href);

const fired = [];
const source = new EventSource(url);
for (const name of ["message", "snapshot", "step", "heartbeat", "end"]) {
  source.addEventListener(name, (event) => {
    fired.push([event.type, event.data, event.lastEventId]);
    if (fired.length === Number(count)) {
      source.close();
      process.stdout.write(JSON.stringify(fired) + "\n", () => process.exit(0));
    }
  });
}
