// Which lines of a run's log the page has: a stretch of those that are asked for, which grows at either end by pages of the server
// and is cut at the other, so that a million lines take no more memory than a few thousand. Pure but for what it asks.

/** Lines of a page. */
export const PAGE = 500;
/** Most lines that are here at a time. */
export const MOST = 3_000;
/** So many are looked for, however far apart they are. */
const ENOUGH = 200;

export class LogPages {
  /** Lines in order, each with its position `seq`. */
  rows = [];
  /** Up to which position there is nothing more to be had at the end: lines after it were not looked at. */
  tail = 0;
  /** Position of the newest line of the run that is known. */
  newest = 0;
  /** Position before which older lines were not looked at; 0 when all were. */
  #head = 0;
  #query = {};
  /** Whether each line of the run is wanted, so that what events bring needs no question. */
  #isAll = true;
  /** Of questions: answers to older ones are of no use. */
  #generation = 0;
  #isBusy = false;

  /** `ask(query)`: gives {lines, total, more, after} of the server, or throws. `view`: called with what is added and taken away. */
  constructor(ask, view) {
    this.ask = ask;
    this.view = view;
  }

  get hasOlder() {
    return this.#head > 0;
  }

  get hasNewer() {
    return this.tail < this.newest;
  }

  get isBusy() {
    return this.#isBusy;
  }

  /** The position back to which lines were looked for; 0 when it is the first one. */
  get head() {
    return this.#head;
  }

  /** Forgets everything, and takes what events bring from now on if each line is wanted. */
  forget(query, isAll) {
    this.#generation += 1;
    this.#isBusy = false;
    this.#query = query;
    this.#isAll = isAll;
    this.rows = [];
    this.tail = 0;
    this.#head = 0;
    this.view.clear();
  }

  /** Asks for the last lines of another question, or for those that begin at a moment, in seconds of run time. */
  restart(query, isAll, at = null) {
    this.forget(query, isAll);
    return this.#busy(async (isCurrent) => {
      const range = at === null ? {} : { at, order: "first" };
      const page = await this.ask({ ...query, ...range, limit: PAGE });
      if (!isCurrent()) return;
      this.#add(page.lines);
      this.#learn(page);
      if (at === null) {
        this.#head = page.more ?? 0;
        this.tail = this.#lastOf(page);
        await this.#fill(isCurrent);
      } else {
        this.#head = page.after ? page.after + 1 : 0;
        this.tail = page.more ?? this.#lastOf(page);
      }
    });
  }

  /** Takes lines that an event brought, of all that there are. Whether they could be used; else there is something newer. */
  bring(rows) {
    const last = rows.at(-1)?.seq ?? 0;
    this.newest = Math.max(this.newest, last);
    if (!this.#isAll || this.#isBusy) return false;
    const fresh = rows.filter(({ seq }) => seq > this.tail);
    if (fresh.length === 0) return true;
    if (this.rows.length === 0 && this.tail === 0) this.#head = fresh[0].seq > 1 ? fresh[0].seq : 0;
    else if (fresh[0].seq !== this.tail + 1) return false;
    this.#add(fresh);
    this.tail = last;
    return true;
  }

  older() {
    if (!this.hasOlder || this.#isBusy) return Promise.resolve();
    return this.#busy((isCurrent) => this.#fillOnce(isCurrent));
  }

  newer() {
    if (!this.hasNewer || this.#isBusy) return Promise.resolve();
    return this.#busy(async (isCurrent) => {
      const page = await this.ask({ ...this.#query, after: this.tail, order: "first", limit: PAGE });
      if (!isCurrent()) return;
      this.#learn(page);
      this.#add(page.lines.filter(({ seq }) => seq > this.tail));
      this.tail = Math.max(this.tail, page.more ?? this.#lastOf(page));
    });
  }

  /** Goes back until there are enough lines to look at. */
  async #fill(isCurrent) {
    while (isCurrent() && this.hasOlder && this.rows.length < ENOUGH) await this.#fillOnce(isCurrent);
  }

  async #fillOnce(isCurrent) {
    const page = await this.ask({ ...this.#query, before: this.#head, limit: PAGE });
    if (!isCurrent()) return;
    this.#learn(page);
    this.#head = page.more ?? 0;
    this.rows = [...page.lines, ...this.rows];
    this.view.prepend(page.lines);
    const beyond = this.rows.length - MOST;
    if (beyond > 0) {
      this.rows = this.rows.slice(0, MOST);
      this.tail = this.rows.at(-1).seq;
      this.view.dropLast(beyond);
    }
  }

  #add(rows) {
    if (rows.length === 0) return;
    this.rows = [...this.rows, ...rows];
    this.view.append(rows);
    const beyond = this.rows.length - MOST;
    if (beyond > 0) {
      this.rows = this.rows.slice(beyond);
      this.#head = this.rows[0].seq;
      this.view.dropFirst(beyond);
    }
  }

  /** The position up to which an answer that reaches the end has looked. */
  #lastOf({ lines, total }) {
    return Math.max(total ?? 0, lines.at(-1)?.seq ?? 0);
  }

  #learn(page) {
    this.newest = Math.max(this.newest, this.#lastOf(page));
  }

  async #busy(work) {
    const generation = this.#generation;
    const isCurrent = () => generation === this.#generation;
    this.#isBusy = true;
    this.view.busy(true);
    try {
      await work(isCurrent);
    } catch (error) {
      // That an earlier question failed does not matter to what is shown now.
      if (isCurrent()) throw error;
    } finally {
      if (isCurrent()) {
        this.#isBusy = false;
        this.view.busy(false);
      }
    }
  }
}
