// How the load generator fared: its workers and agents, the worst first. The charts are in chart_generator.js.

import { h, part, setAttribute, setText } from "./dom.js";
import { count } from "./format.js";
import { agentCells, note, workerCells } from "./generator_text.js";
import { source } from "./source.js";

/** All workers are asked for again at most so often while a run goes on. */
const ASK_EVERY_MS = 5_000;

export class Generator {
  /** Whether all workers are to be listed, and what was answered last. */
  #wantsAll = false;
  #all = null;
  #askedAt = -ASK_EVERY_MS;
  #shown = null;

  /** `query()`: which part of the run is shown, as the end of an address. */
  constructor(id, query) {
    this.id = id;
    this.query = query;
    this.section = part("generator");
    this.button = part("generator-all");
    this.button.addEventListener("click", () => {
      this.#wantsAll = !this.#wantsAll;
      this.#all = null;
      this.#askedAt = -ASK_EVERY_MS;
      this.show(this.#shown);
    });
  }

  show(generator) {
    this.#shown = generator;
    this.section.hidden = generator.workers.length === 0;
    setAttribute(this.section, "data-measured", generator.measured);
    setText(part("generator-note"), note(generator));
    if (part("leave-out")) {
      part("leave-out").hidden = generator.saturated_seconds === 0 || generator.left_out;
      setText(part("leave-out-link"), `Leave out ${count(generator.saturated_seconds)} s`);
    }
    const isPart = generator.workers.length < generator.worker_count || generator.agents.length < generator.agent_count;
    if (this.#wantsAll && isPart) this.#ask();
    const { workers, agents } = (this.#wantsAll && this.#all) || generator;
    showRows(part("generator-workers"), workers, workerCells, (row, worker) => {
      setAttribute(row, "data-state", worker.state);
      setAttribute(row, "data-saturated", worker.saturated_seconds > 0);
    });
    showRows(part("generator-agents"), agents, agentCells, () => {});
    const said = `${count(workers.length)} of ${count(generator.worker_count)} workers, the worst first`;
    setText(part("generator-shown"), said);
    part("generator-shown").hidden = !isPart;
    // A file has no others.
    this.button.hidden = !isPart || !source().isLive;
    setText(this.button, this.#wantsAll ? "Show fewer" : "Show all");
  }

  async #ask() {
    const now = performance.now();
    if (now - this.#askedAt < ASK_EVERY_MS) return;
    this.#askedAt = now;
    const query = this.query();
    try {
      const { ok, body } = await source().json(this.id, `/workers${query}`);
      if (!ok || query !== this.query()) return;
      this.#all = body;
      this.show(this.#shown);
    } catch {
      // The coordinator is away, which the page says; asked again with the next change.
    }
  }
}

function showRows(table, items, cellsOf, mark) {
  const body = table.tBodies[0];
  items.forEach((item, index) => {
    const cells = cellsOf(item);
    let row = body.rows[index];
    if (!row) {
      row = h("tr", {}, h("th", { scope: "row", class: "clip" }), ...cells.map(() => h("td")));
      body.append(row);
    }
    const [name, ...others] = row.children;
    setText(name, item.agent);
    setAttribute(name, "title", item.agent);
    cells.forEach((text, at) => setText(others[at], text));
    mark(row, item);
  });
  while (body.rows.length > items.length) body.lastElementChild.remove();
}
