// The one event stream of a browser, for all its pages that are seen. It runs in a shared worker (hub_worker.js), or in
// the page where there are none. Pages say what they show; when that changes the stream is opened anew, and its first
// events hold everything, so that each page catches up.

import { serverSent } from "./server_sent.js";

const RETRY_FIRST_MS = 1_000;
const RETRY_MOST_MS = 15_000;
/** Pages that come within this time are served by one request. */
const GATHER_MS = 30;
/** What is not seen any more is followed for this long: who switches between pages leaves one before seeing the other. */
const LINGER_MS = 5_000;
/** Pages say every few seconds that they are seen (live.js). One that is silent for so long is gone. */
const GONE_MS = 20_000;
/** The coordinator says something every two seconds. A connection that is silent for so long is given up. */
const SILENT_MS = 20_000;
const LOOK_AROUND_MS = 5_000;
const CONNECTING = { state: "connecting" };

export class Hub {
  /** By page (the function that takes its messages): what it wants, and when it last said so. */
  #pages = new Map();
  #asked = "";
  #abort = null;
  #timer = 0;
  #due = Infinity;
  #retryMs = RETRY_FIRST_MS;
  #heardAt = 0;
  #state = CONNECTING;

  /** `url`: of the events. */
  constructor(url) {
    this.url = url;
    setInterval(() => this.#lookAround(), LOOK_AROUND_MS);
  }

  /** A page shows `wanted` ({runs: [id], front}), or is not seen any more (null). */
  say(page, wanted) {
    if (wanted === null) return this.#leave(page);
    const said = JSON.stringify(wanted);
    const known = this.#pages.get(page);
    if (known?.said === said) {
      known.at = Date.now();
      return;
    }
    const { runs, front } = wanted;
    this.#pages.set(page, { said, at: Date.now(), runs: new Set(runs), front, isServed: false });
    // A refusal was of an earlier request. A page that has just been signed in on would load itself again because of it.
    page(this.#state.state === "refused" ? CONNECTING : this.#state);
    // Even if it is followed already: the page must be sent everything first.
    this.#asked = "";
    this.#connectIn(GATHER_MS);
  }

  #leave(page) {
    if (!this.#pages.delete(page)) return;
    if (this.#pages.size > 0) return this.#connectIn(LINGER_MS);
    clearTimeout(this.#timer);
    this.#due = Infinity;
    this.#abort?.abort();
    this.#abort = null;
    this.#asked = "";
    this.#state = CONNECTING;
  }

  #connectIn(ms) {
    const due = Date.now() + ms;
    if (due >= this.#due) return;
    clearTimeout(this.#timer);
    this.#due = due;
    this.#timer = setTimeout(() => {
      this.#due = Infinity;
      this.#connect();
    }, ms);
  }

  /** Opens the stream of what is wanted now, unless it is open. */
  #connect() {
    const pages = [...this.#pages.values()];
    const runs = new Set(pages.flatMap((page) => [...page.runs]));
    const front = pages.some((page) => page.front);
    if (runs.size === 0 && !front) return;
    const asked = `?runs=${[...runs].sort().map(encodeURIComponent).join(",")}&front=${front}`;
    if (asked === this.#asked) return;
    this.#asked = asked;
    for (const page of pages) page.isServed = true;
    this.#abort?.abort();
    this.#abort = new AbortController();
    this.#follow(asked, this.#abort.signal);
  }

  async #follow(asked, signal) {
    let state = { state: "lost" };
    this.#heardAt = Date.now();
    try {
      const answer = await fetch(this.url + asked, {
        headers: { accept: "text/event-stream" },
        cache: "no-store",
        signal,
      });
      if (answer.ok) {
        for await (const { name, data } of serverSent(answer.body)) {
          if (signal.aborted) return;
          this.#retryMs = RETRY_FIRST_MS;
          this.#heard(name, data);
        }
        if (!this.#isWanted()) return;
      } else {
        state = { state: "refused", status: answer.status, text: (await answer.json()).error };
      }
    } catch {
      // The connection broke, was given up, or the answer is not one of a coordinator.
    }
    if (signal.aborted) return;
    this.#show(state);
    this.#asked = "";
    this.#connectIn(this.#retryMs * (0.75 + Math.random() / 2));
    this.#retryMs = Math.min(this.#retryMs * 2, RETRY_MOST_MS);
  }

  /** Whether there is anything left to follow. */
  #isWanted() {
    return [...this.#pages.values()].some((page) => page.front || page.runs.size > 0);
  }

  #heard(name, data) {
    this.#heardAt = Date.now();
    if (this.#state.state !== "live") this.#show({ state: "live" });
    for (const [page, { runs, front, isServed }] of this.#pages) {
      // The open stream began before a page that is not served yet, which would not know what is changed.
      const concerned = isServed && (name === "change" ? front : runs.has(data.id));
      page(concerned ? { name, data } : { name: "beat" });
      if (concerned && (name === "gone" || data.over)) runs.delete(data.id);
    }
  }

  #show(state) {
    this.#state = state;
    for (const page of this.#pages.keys()) page(state);
  }

  #lookAround() {
    const now = Date.now();
    for (const [page, { at }] of this.#pages) {
      if (now - at > GONE_MS) this.#leave(page);
    }
    if (this.#asked && this.#pages.size > 0 && this.#isWanted() && now - this.#heardAt > SILENT_MS) {
      this.#show({ state: "lost" });
      this.#asked = "";
      this.#connect();
    }
  }
}
