/** An EventSource whose connection the test controls. */
export class FakeEventSource extends EventTarget {
  readyState = 0;
  lastEventId = "";

  /** @param {string} url @param {{withCredentials: boolean}} init */
  constructor(url, init) {
    super();
    this.url = url;
    this.withCredentials = init.withCredentials;
  }

  open() {
    this.readyState = 1;
    this.dispatchEvent(new Event("open"));
  }

  /** @param {string} type @param {unknown} data @param {string} [id] */
  send(type, data, id) {
    this.readyState = 1;
    this.lastEventId = id ?? this.lastEventId;
    this.dispatchEvent(
      new MessageEvent(type, {
        data: typeof data === "string" ? data : JSON.stringify(data),
        lastEventId: this.lastEventId,
      }),
    );
  }

  /** A lost connection: the browser reconnects by itself. */
  interrupt() {
    this.readyState = 0;
    this.dispatchEvent(new Event("error"));
  }

  /** Any status but 200: the browser gives up. */
  refuse() {
    this.readyState = 2;
    this.dispatchEvent(new Event("error"));
  }

  close() {
    this.readyState = 2;
  }
}
