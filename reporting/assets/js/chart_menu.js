// The menu of a chart: which of its lines are shown, and the chart as a picture or a table.

import { csv, plain, soloed } from "./chart_data.js";
import { h } from "./dom.js";
import { utcTime } from "./time_axis.js";

/** Two clicks on a line's name within this time show it alone. */
const DOUBLE_CLICK_MS = 400;
const PICTURE_DOTS = 2;

export class ChartMenu {
  #names = [];
  /** Names of the lines that are not shown. */
  #hidden = new Set();
  #last = { name: null, at: 0 };
  #alt = false;

  /** `owner`: {chart, canvas, figure, palette, fileName(), fileTable()}. `changed()`: other lines are shown now. */
  constructor(owner, changed) {
    this.owner = owner;
    this.changed = changed;
    const title = owner.figure.querySelector("h2, h3").textContent;
    this.lines = h("fieldset", { class: "chart-lines", hidden: true }, h("legend", {}, "Lines"));
    const button = (text, act) => {
      const made = h("button", { type: "button" }, text);
      made.addEventListener("click", () => {
        act();
        this.menu.open = false;
        this.menu.querySelector("summary").focus();
      });
      return made;
    };
    this.menu = h(
      "details",
      { class: "confirm menu chart-menu needs-js" },
      h("summary", { class: "chart-menu-button", "aria-label": `${title}: menu`, title: "Lines, picture, CSV" }, "⋯"),
      h(
        "div",
        { class: "popover" },
        this.lines,
        button("Save as PNG", () => this.#savePicture()),
        button("Save as CSV", () => this.#saveTable()),
      ),
    );
    owner.figure.querySelector("figcaption").append(this.menu);
    owner.canvas.addEventListener("pointerdown", (event) => (this.#alt = event.altKey), { capture: true });
    // Charts with one crosshair hear of what happens in each other's legends unless the event says otherwise.
    owner.chart.on("legendselectchanged", (event) => {
      event.escapeConnect = true;
      this.#click(event.name);
    });
    owner.chart.on("legendscroll", (event) => (event.escapeConnect = true));
  }

  /** These lines are shown only when they are chosen. */
  hideFirst(names) {
    this.#hidden = new Set(names);
  }

  /** Whether a line is shown. */
  isShown(name) {
    return !this.#hidden.has(name);
  }

  /** What an ECharts legend has to show. */
  selected(names) {
    return Object.fromEntries(names.map((name) => [name, this.isShown(name)]));
  }

  /** The names of the lines that there are now. */
  setNames(names) {
    if (JSON.stringify(names) === JSON.stringify(this.#names)) return;
    this.#names = names;
    const rows = names.map((name) => {
      const box = h("input", { type: "checkbox" });
      box.addEventListener("change", () => this.#toggle(name));
      const only = h("button", { type: "button", class: "chart-only", "aria-label": `Only ${name}` }, "Only");
      only.addEventListener("click", () => this.#solo(name));
      return h("div", { class: "chart-line" }, h("label", {}, box, h("span", { class: "clip", title: name }, name)), only);
    });
    this.lines.replaceChildren(this.lines.firstElementChild, ...rows);
    this.lines.hidden = names.length < 2;
    this.#show();
  }

  #click(name) {
    const now = performance.now();
    const isDouble = this.#last.name === name && now - this.#last.at < DOUBLE_CLICK_MS;
    this.#last = { name, at: now };
    if (this.#alt || isDouble) this.#solo(name);
    else this.#toggle(name);
  }

  #toggle(name) {
    if (!this.#hidden.delete(name)) this.#hidden.add(name);
    this.#show();
    this.changed();
  }

  #solo(name) {
    const shown = soloed(this.#names, new Set(this.#names.filter((other) => this.isShown(other))), name);
    for (const other of this.#names) {
      if (shown.has(other)) this.#hidden.delete(other);
      else this.#hidden.add(other);
    }
    this.#show();
    this.changed();
  }

  #show() {
    this.lines.querySelectorAll("input").forEach((box, index) => {
      box.checked = this.isShown(this.#names[index]);
    });
  }

  #savePicture() {
    const { chart, palette } = this.owner;
    save(chart.getDataURL({ pixelRatio: PICTURE_DOTS, backgroundColor: palette.surface }), `${this.owner.fileName()}.png`);
  }

  /** The chart's table, and where its rows are seconds of run time these by the clock, too. */
  #saveTable() {
    const { columns, rows } = this.owner.fileTable();
    const isOverTime = columns[0] === "Run time (s)";
    const head = isOverTime ? [columns[0], "Time (UTC)", ...columns.slice(1)] : columns;
    const body = rows.map((row) => (isOverTime ? [row[0], utcTime(Number(row[0])), ...row.slice(1)] : row));
    const url = URL.createObjectURL(new Blob([csv([head, ...body.map((row) => row.map(plain))])], { type: "text/csv" }));
    save(url, `${this.owner.fileName()}.csv`);
    setTimeout(() => URL.revokeObjectURL(url), 0);
  }
}

function save(url, name) {
  h("a", { href: url, download: name }).click();
}
