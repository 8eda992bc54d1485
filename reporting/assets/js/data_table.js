// A chart's data as a table, for those who read it with a keyboard or a screen reader. Filled when it is opened.

import { h, setText } from "./dom.js";

/** Most rows shown; the newest ones. */
const MAX_ROWS = 2_000;

export class DataTable {
  constructor(details, { columns, rows }) {
    this.details = details;
    this.columns = columns;
    this.rows = rows;
    this.holder = details.querySelector(".data-table-scroll");
    details.addEventListener("toggle", () => this.refresh());
  }

  refresh() {
    if (!this.details.open) return;
    const all = this.rows();
    const rows = all.slice(-MAX_ROWS);
    if (!this.body) {
      this.body = h("tbody");
      const head = h("tr", {}, ...this.columns.map((name) => h("th", { scope: "col" }, name)));
      this.caption = h("caption", { class: "visually-hidden" });
      this.holder.replaceChildren(h("table", {}, this.caption, h("thead", {}, head), this.body));
    }
    setText(this.caption, all.length > rows.length ? `The last ${rows.length} of ${all.length} rows` : `${rows.length} rows`);
    rows.forEach((cells, index) => {
      let row = this.body.rows[index];
      if (!row) {
        row = h("tr", {}, ...cells.map(() => h("td")));
        this.body.append(row);
      }
      cells.forEach((text, column) => setText(row.cells[column], String(text)));
    });
    while (this.body.rows.length > rows.length) this.body.lastElementChild.remove();
  }
}
