// The endpoints of a comparison, sorted and filtered.

import { byCell, nextOrder } from "./compare_data.js";
import { part } from "./dom.js";

export class CompareTable {
  #order = { column: null, isDown: false };

  constructor() {
    this.table = part("compare-rows");
    this.head = this.table.tHead.rows[0];
    this.body = this.table.tBodies[0];
    this.head.addEventListener("click", ({ target }) => {
      const button = target.closest("[data-sort]");
      if (button) this.#sort(button.dataset.sort);
    });
    const filter = part("compare-filter");
    filter.addEventListener("input", () => {
      const needle = filter.value.trim().toLowerCase();
      for (const row of this.body.rows) row.hidden = !row.dataset.name.toLowerCase().includes(needle);
    });
  }

  #sort(column) {
    this.#order = nextOrder(this.#order, column);
    const { isDown } = this.#order;
    for (const cell of this.head.cells) {
      const isThis = cell.querySelector("button").dataset.sort === column;
      cell.setAttribute("aria-sort", isThis ? (isDown ? "descending" : "ascending") : "none");
    }
    const compare = byCell(isDown);
    const rows = [...this.body.rows].map((row) => [cellOf(row, column), row]);
    rows.sort(([one], [other]) => compare(one, other));
    this.body.append(...rows.map(([, row]) => row));
  }
}

function cellOf(row, column) {
  if (column === "name") return row.dataset.name;
  if (column === "run") return Number(row.dataset.place);
  const { value } = row.querySelector(`[data-statistic="${column}"]`).dataset;
  return value === "" ? null : Number(value);
}
