// The console tables: asked for only while the panel that shows them is open, because they are long and always new.

import { part } from "./dom.js";
import { source } from "./source.js";

/** Least time between two requests. */
const REFRESH_MS = 2_000;
/** Of a run that is over and has no more endpoints they are there before the panel is opened. */
const FEW_ENDPOINTS = 100;

export class ConsoleTables {
  #isNew = true;
  #isAsking = false;
  #generation;
  /** Counts the parts of the run that were shown: an answer about an earlier one comes too late. */
  #part = 0;

  /** `show(text)` takes them; `query()`: of which part of the run. */
  constructor(id, show, query) {
    this.query = query;
    this.id = id;
    this.show = show;
    this.panel = part("console");
    this.panel.addEventListener("toggle", () => this.#refresh());
  }

  /** The run's results changed, by an event of this number: pages that ask because of the same one are answered together. */
  changed({ about, endpoints }, generation) {
    this.#isNew = true;
    this.#generation = generation;
    this.#refresh(about.status !== "Running" && endpoints.length <= FEW_ENDPOINTS);
  }

  /** Another part of the run is shown. */
  renew() {
    this.#isNew = true;
    this.#generation = undefined;
    this.#part += 1;
    this.show("");
    this.#isAsking = false;
    this.#refresh();
  }

  async #refresh(atOnce = false) {
    if (!this.#isNew || this.#isAsking || !(this.panel.open || atOnce)) return;
    this.#isNew = false;
    this.#isAsking = true;
    const part = this.#part;
    try {
      const { ok, body } = await source().text(this.id, `/tables${this.query()}`, { seen: this.#generation });
      if (part !== this.#part) return;
      if (ok) this.show(body);
    } catch {
      // The coordinator is away, which the page says; there is a change when it is back.
    }
    setTimeout(() => {
      if (part !== this.#part) return;
      this.#isAsking = false;
      this.#refresh();
    }, REFRESH_MS);
  }
}
