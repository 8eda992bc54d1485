// Asks for the results of a part of the run: one request at a time, the newest.

import { formatScope } from "./scope.js";
import { source } from "./source.js";

export class ScopedResults {
  #abort = null;
  #doneAt = -Infinity;

  constructor(id) {
    this.id = id;
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
      const { ok, body } = await source().json(this.id, `/view?${formatScope(scope)}`, { seen: generation, signal: abort.signal });
      if (abort.signal.aborted) return null;
      return ok ? body : { error: body.error };
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
