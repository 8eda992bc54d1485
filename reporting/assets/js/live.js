// One server-sent event stream with its indicator. EventSource reconnects by itself after a lost connection; after an
// answer that is no stream (a coordinator that is just starting, a proxy's error page) it gives up, so we try again.

import { setText } from "./dom.js";

const RETRY_FIRST_MS = 1_000;
const RETRY_MOST_MS = 15_000;
const WORDS = { live: "Live", reconnecting: "Reconnecting…", over: "" };

export class Live {
  #source = null;
  #retryMs = RETRY_FIRST_MS;
  #timer = 0;
  #over = false;

  /** `handlers`: event name → function of the parsed JSON. The stream ends for good with the event `end`. A `quiet` one
   * is a side matter: it is indicated only while it is lost, and closed while the page is not seen, because browsers
   * open few connections to one server and many such pages may be open. */
  constructor(url, handlers, { quiet = false } = {}) {
    this.url = url;
    this.handlers = handlers;
    this.quiet = quiet;
    this.indicator = document.querySelector("[data-live]");
    addEventListener("pagehide", () => this.#close());
    addEventListener("pageshow", (event) => event.persisted && !this.#over && this.reconnect());
    if (quiet) document.addEventListener("visibilitychange", () => (document.hidden ? this.#close() : this.reconnect()));
    if (!quiet || !document.hidden) this.reconnect();
  }

  /** Drops the connection and asks for everything anew. */
  reconnect() {
    this.#close();
    const source = new EventSource(this.url);
    this.#source = source;
    source.onopen = () => {
      this.#retryMs = RETRY_FIRST_MS;
      this.#show("live");
    };
    source.onerror = () => {
      if (this.#over) return;
      this.#show("reconnecting");
      if (source.readyState !== EventSource.CLOSED) return;
      this.#timer = setTimeout(() => this.reconnect(), this.#retryMs * (0.75 + Math.random() / 2));
      this.#retryMs = Math.min(this.#retryMs * 2, RETRY_MOST_MS);
    };
    for (const [name, handle] of Object.entries(this.handlers)) {
      source.addEventListener(name, (event) => handle(event.data ? JSON.parse(event.data) : null));
    }
    source.addEventListener("end", () => {
      this.#over = true;
      this.#close();
      this.#show("over");
    });
  }

  #close() {
    clearTimeout(this.#timer);
    this.#source?.close();
    this.#source = null;
  }

  #show(state) {
    if (!this.indicator) return;
    this.indicator.dataset.live = state;
    this.indicator.hidden = state === "over" || (this.quiet && state === "live");
    setText(this.indicator.querySelector("[data-live-text]"), WORDS[state]);
  }
}
