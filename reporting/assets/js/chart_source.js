// The data of a chart that is not in the run's events: asked for when the chart is seen, and again while it is and the run goes on.

import { merged, nextSince } from "./chart_data.js";
import { source } from "./source.js";

/** Least time between two questions. */
const REFRESH_MS = 2_000;
/** What came late is found when everything is asked for again, after so long. */
const WHOLE_MS = 60_000;

export class ChartSource {
  data = null;
  error = null;
  #asked = null;
  /** What `data` answers. */
  #answeredPath = null;
  #wholeAt = -Infinity;
  #doneAt = -Infinity;
  #abort = null;
  #timer = 0;
  #isWanted = false;
  #generation = 0;
  #answered = -1;

  /** `path()`: the address below the run, with its query: what it says is what is shown. `hasGaps`: whether a line without a
   * value is none; null where the answer is not a chart over time. `changed()`: there is something else to show. */
  constructor(id, { path, hasGaps, changed }) {
    this.id = id;
    this.path = path;
    this.hasGaps = hasGaps;
    this.changed = changed;
  }

  /** Whether it has what is shown, and not what was shown before. */
  isReady() {
    return this.data !== null && this.#answeredPath === this.path();
  }

  /** Whether the chart is seen, and so needs its data. */
  want(isWanted) {
    this.#isWanted = isWanted;
    this.#soon();
  }

  /** The run has changed. */
  stale() {
    this.#generation += 1;
    this.#soon();
  }

  #soon() {
    const path = this.path();
    const isOther = path !== this.#asked;
    if (isOther) {
      this.#abort?.abort();
      clearTimeout(this.#timer);
      this.#timer = 0;
    }
    if (!this.#isWanted || this.#timer || this.#abort) return;
    if (!isOther && this.#answered === this.#generation) return;
    const wait = isOther ? 0 : this.#doneAt + REFRESH_MS - performance.now();
    this.#timer = setTimeout(() => this.#ask(), Math.max(0, wait));
  }

  async #ask() {
    this.#timer = 0;
    const path = this.path();
    const isOther = path !== this.#asked;
    const now = performance.now();
    const isPart = !isOther && this.hasGaps !== null && this.data && now - this.#wholeAt < WHOLE_MS;
    const more = isPart ? { since: nextSince(this.data), step: this.data.step_s } : {};
    const generation = this.#generation;
    const abort = new AbortController();
    this.#abort = abort;
    this.#asked = path;
    try {
      const [before, query = ""] = path.split("?");
      const all = new URLSearchParams([...new URLSearchParams(query), ...Object.entries(more)]);
      const { ok, body } = await source().json(this.id, `${before}?${all}`, { signal: abort.signal });
      this.#answeredPath = path;
      this.#take(ok ? body : null, ok ? null : body.error, isPart, now);
      this.#answered = generation;
    } catch {
      // When the coordinator is away the page says so; it is asked again when it is back.
    } finally {
      this.#abort = null;
      this.#doneAt = performance.now();
      this.#soon();
    }
  }

  #take(body, error, isPart, now) {
    this.error = error;
    const whole = isPart && body ? merged(this.data, body, this.hasGaps) : body;
    if (isPart && body && !whole) {
      // The steps are wider by now.
      this.#wholeAt = -Infinity;
      this.#generation += 1;
      return;
    }
    if (!isPart) this.#wholeAt = now;
    this.data = whole;
    this.changed();
  }
}
