// A chart's data as a table, for those who read it with a keyboard or a screen reader. Filled when it is opened.

import { h, setText } from "./dom.js";

/** Most rows shown; the newest ones. */
const MAX_ROWS = 2_000;

export class DataTable {
  /** `columns`: their names, or a function that gives them; those in `texts` (by index) hold no numbers. `rows()`: arrays of cells,
   * oldest first. */
  constructor(details, { columns, rows, texts = [] }) {
    this.texts = texts;
    this.details = details;
    this.columns = columns;
    this.rows = rows;
    this.holder = details.querySelector(".data-table-scroll");
    details.addEventListener("toggle", () => this.refresh());
  }

  columnNames() {
    return typeof this.columns === "function" ? this.columns() : this.columns;
  }

  #class(column) {
    return this.texts.includes(column) ? "text" : null;
  }

  refresh() {
    if (!this.details.open) return;
    const all = this.rows();
    const rows = all.slice(-MAX_ROWS);
    const columns = this.columnNames();
    if (this.shown !== columns.join("\n")) {
      this.shown = columns.join("\n");
      this.body = h("tbody");
      const head = h(
        "tr",
        {},
        ...columns.map((name, column) => h("th", { scope: "col", class: this.#class(column) }, name)),
      );
      this.caption = h("caption", { class: "visually-hidden" });
      this.holder.replaceChildren(h("table", {}, this.caption, h("thead", {}, head), this.body));
    }
    setText(
      this.caption,
      all.length > rows.length ? `The last ${rows.length} of ${all.length} rows` : `${rows.length} rows`,
    );
    rows.forEach((cells, index) => {
      let row = this.body.rows[index];
      if (!row) {
        row = h("tr", {}, ...cells.map((_, column) => h("td", { class: this.#class(column) })));
        this.body.append(row);
      }
      cells.forEach((text, column) => setText(row.cells[column], String(text)));
    });
    while (this.body.rows.length > rows.length) this.body.lastElementChild.remove();
  }
}
