// Follows one stream with a client library of npm, as its documentation says, and prints the events that it yields.
// usage: node drive.mjs <library> <url> <token> [<id of the last event>]
// A library whose name ends in " alone" runs without the option that docs/protocol.md names for it. Each event is a line
// of JSON, {event, data, id}. A last line, {over}, comes when the library ends by itself: "stops" without an error, or
// "raises".
const [name, url, token, lastEventId] = process.argv.slice(2);
const library = name.replace(" alone", "");
const isAlone = name !== library;
const headers = { Authorization: `Bearer ${token}`, ...(lastEventId && { "Last-Event-ID": lastEventId }) };

const NAMES = ["message", "snapshot", "step", "heartbeat", "end"];

/** @param {object} line */
function printLine(line) {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

/** @param {{ event?: string, data: string, id?: string }} message */
function printMessage({ event, data, id }) {
  printLine({ event: event || "message", data, id: id ?? null });
}

/** Print the events of an object that behaves as a browser's EventSource. */
function printEvents(source) {
  for (const type of NAMES)
    source.addEventListener(type, (event) => {
      if ("data" in event) printLine({ event: event.type, data: event.data, id: event.lastEventId });
    });
  source.addEventListener("error", () => setImmediate(() => source.readyState === 2 && end("stops")));
  if ("on" in source) source.on("closed", () => end("stops"));
}

function end(how) {
  printLine({ over: how });
  process.exit(0);
}

const LIBRARIES = {
  async eventsource() {
    const { EventSource } = await import("eventsource");
    const fetchWithToken = (input, init) => fetch(input, { ...init, headers: { ...init.headers, ...headers } });
    printEvents(new EventSource(url, { fetch: fetchWithToken }));
  },

  async "eventsource@2"() {
    const { default: EventSource } = await import("eventsource-2");
    printEvents(new EventSource(url, { headers }));
  },

  async "launchdarkly-eventsource"() {
    const { EventSource } = (await import("launchdarkly-eventsource")).default;
    printEvents(new EventSource(url, { headers }));
  },

  async "event-source-polyfill"() {
    const { EventSourcePolyfill } = (await import("event-source-polyfill")).default;
    const option = isAlone ? {} : { lastEventIdQueryParameterName: "last_event_id" };
    printEvents(new EventSourcePolyfill(url, { headers, ...option }));
  },

  async undici() {
    const { Agent, EventSource } = await import("undici");
    class AgentWithToken extends Agent {
      dispatch(options, handler) {
        return super.dispatch({ ...options, headers: { ...options.headers, ...headers } }, handler);
      }
    }
    printEvents(new EventSource(url, { dispatcher: new AgentWithToken() }));
  },

  async "eventsource-client"() {
    const { createEventSource } = await import("eventsource-client");
    const onDisconnect = () => setImmediate(() => source.readyState === "closed" && end("stops"));
    const source = createEventSource({ url, headers, onDisconnect });
    for await (const message of source) printMessage(message);
    end("stops");
  },

  async "eventsource-parser"() {
    const { EventSourceParserStream } = await import("eventsource-parser/stream");
    const response = await fetch(url, { headers });
    const events = response.body.pipeThrough(new TextDecoderStream()).pipeThrough(new EventSourceParserStream());
    for await (const message of events) printMessage(message);
    end("stops");
  },

  async "@microsoft/fetch-event-source"() {
    const { fetchEventSource } = (await import("@microsoft/fetch-event-source")).default;
    // The library is made for browsers.
    const document = { hidden: false, addEventListener() {}, removeEventListener() {} };
    Object.assign(globalThis, { window: globalThis, document });
    const onclose = () => {
      throw new Error("come back");
    };
    await fetchEventSource(url, { headers, onmessage: printMessage, ...(!isAlone && { onclose }) });
    end("stops");
  },
};

process.on("uncaughtException", (error) => {
  if (error.code === "ERR_MODULE_NOT_FOUND") throw error;
  printLine({ over: "raises", error: String(error) });
  process.exit(0);
});

// Some libraries do not keep a process alive, as an application would.
setInterval(() => {}, 60_000);
await LIBRARIES[library]();
