// What keeps a page live: its part of the browser's one event stream (hub.js), while the page is seen, and the indicator
// that says when nothing comes any more.

import { address } from "./address.js";
import { h, setMessage, setText } from "./dom.js";

/** The hub forgets a page that is silent for longer. */
const SAY_MS = 5_000;
/** A worker that has not answered by now does not run, nor does one that leaves so many messages unanswered later. */
const WORKER_MS = 8_000;
const MOST_UNANSWERED = 3;
const TICK_MS = 500;
/** The coordinator says something every two seconds, so something is wrong after twice that. */
const SILENT_MS = 4_000;

export class Live {
  #handlers;
  #hub = null;
  #wanted = null;
  #state = { state: "connecting" };
  #quiet = false;
  /** When anything was last heard from the coordinator, or the page was seen again. */
  #heardAt = performance.now();
  #saidAt = Infinity;

  /** `handlers`: event name → function of the event's data. */
  constructor(handlers) {
    this.#handlers = handlers;
    this.indicator = document.querySelector("[data-live]");
    this.silence = h("span", { class: "live-silence", "aria-hidden": "true" });
    this.indicator.append(this.silence);
    document.addEventListener("visibilitychange", () => this.#say());
    addEventListener("pagehide", () => this.#hub?.say(null));
    addEventListener("pageshow", (event) => event.persisted && this.#say());
    setInterval(() => document.hidden || this.#say(), SAY_MS);
    setInterval(() => document.hidden || this.#tick(), TICK_MS);
  }

  /** Follows these `runs` (ids), and the `front` page. A `quiet` page says only when something is wrong. */
  follow({ runs = [], front = false }, { quiet = false } = {}) {
    this.#wanted = { runs, front };
    this.#quiet = quiet;
    this.#say();
    this.#show();
  }

  /** Until when what the page shows is known to be true, on the clock of performance.now(). */
  get knownUntil() {
    return this.#heardAt + SILENT_MS / 2;
  }

  /** Tells the hub what is wanted. Silence counts from now on when the page was not seen before. */
  #say() {
    if (!this.#wanted) return;
    this.#hub ??= this.#shared() ?? this.#own();
    const now = performance.now();
    if (document.hidden) {
      this.#saidAt = Infinity;
      return this.#hub.say(null);
    }
    if (this.#saidAt === Infinity) {
      this.#heardAt = now;
      this.#saidAt = now;
    }
    this.#hub.say(this.#wanted);
  }

  #shared() {
    if (typeof SharedWorker !== "function") return null;
    try {
      const url = new URL("./hub_worker.js", import.meta.url);
      const worker = new SharedWorker(url, { type: "module", name: "greylag" });
      let unanswered = 0;
      const replace = () => {
        if (unanswered === 0 || this.#hub !== hub) return;
        this.#hub = this.#own();
        this.#say();
      };
      const hub = {
        say: (wanted) => {
          unanswered += 1;
          if (unanswered > MOST_UNANSWERED) replace();
          else worker.port.postMessage({ wanted });
        },
      };
      worker.port.addEventListener("message", ({ data }) => {
        unanswered = 0;
        if (this.#hub === hub) return this.#take(data);
        // It came too late, and two streams must not be mixed.
        worker.port.postMessage({ wanted: null });
        worker.port.close();
      });
      worker.port.start();
      worker.addEventListener("error", replace);
      setTimeout(replace, WORKER_MS);
      return hub;
    } catch {
      return null;
    }
  }

  /** A hub of this page alone. Where there are no shared workers (phones) one page is seen at a time. */
  #own() {
    const take = (message) => this.#take(message);
    const hub = import("./hub.js").then(({ Hub }) => new Hub(address("/api/v1/events")));
    return { say: (wanted) => hub.then((hub) => hub.say(take, wanted)) };
  }

  #take(message) {
    if (message.name === "here") return;
    if (message.state) this.#state = message;
    else {
      this.#heardAt = performance.now();
      this.#handlers[message.name]?.(message.data);
    }
    // The page that asks to sign in.
    if (message.status === 401) location.reload();
    this.#show();
  }

  #tick() {
    this.#show();
    this.#handlers.tick?.();
  }

  #show() {
    if (!this.#wanted || document.hidden) return;
    const silence = performance.now() - this.#heardAt;
    const { state, text } = this.#state;
    let shown = state;
    if (state !== "refused" && silence > SILENT_MS) shown = "silent";
    const words = { live: "Live", silent: "No data", lost: "Reconnecting…", refused: text }[shown];
    if (!words) return;
    this.indicator.dataset.live = shown;
    this.indicator.hidden = this.#quiet && shown === "live";
    setMessage(this.indicator.querySelector("[data-live-text]"), words);
    // Not a part of what a screen reader says, which would speak every second.
    setText(this.silence, shown === "silent" ? ` for ${Math.round(silence / 1_000)} s` : "");
  }
}
