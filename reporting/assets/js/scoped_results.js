// Asks for the results of a part of the run: one request at a time, the newest.

import { address } from "./address.js";
import { formatScope } from "./scope.js";

export class ScopedResults {
  #abort = null;
  #doneAt = -Infinity;

  constructor(id) {
    this.url = address(`/api/v1/runs/${encodeURIComponent(id)}/view`);
  }

  /** When the last answer came, on the clock of performance.now(). */
  get doneAt() {
    return this.#doneAt;
  }

  get isAsking() {
    return this.#abort !== null;
  }

  /** {view, delta, over} of a scope, or {error}; null when another was asked for meanwhile. Pages that ask because of the same
   * event, by its number, are answered together. */
  async ask(scope, generation) {
    this.cancel();
    const abort = new AbortController();
    this.#abort = abort;
    try {
      const headers = generation === undefined ? {} : { "x-greylag-seen": generation };
      const answer = await fetch(`${this.url}?${formatScope(scope)}`, { headers, signal: abort.signal });
      const body = await answer.json();
      if (abort.signal.aborted) return null;
      return answer.ok ? body : { error: body.error };
    } catch {
      return abort.signal.aborted ? null : { error: "The coordinator did not answer; try again." };
    } finally {
      if (this.#abort === abort) {
        this.#abort = null;
        this.#doneAt = performance.now();
      }
    }
  }

  cancel() {
    this.#abort?.abort();
    this.#abort = null;
  }
}
