// Endpoint Statistics: the rows of templates/run/endpoint_row.html, updated in place, sorted as the reader likes.

import { h, part, setAttribute, setText } from "./dom.js";
import { count, ms, rate } from "./format.js";
import { onBar, timesTitle } from "./percentiles.js";

/** SVG units of a full latency bar. */
const BAR = 100;
/** Rows in the page until the reader asks for all; src/results/page_text.rs has the same for the server. */
const PAGE_ROWS = 100;
/** Bars are drawn anew only when the longest one has changed by this share, because that changes all of them. */
const RESCALE = 0.02;

export class Endpoints {
  /** Rows by endpoint: those that are or were in the page. */
  #rows = new Map();
  #endpoints = [];
  #sort = null;
  #scale = 0;
  #all = false;
  #needle = "";

  constructor() {
    this.table = part("endpoints");
    this.body = part("endpoint-rows");
    this.more = part("endpoints-more");
    this.aggregated = new Row(part("aggregated-row").rows[0]);
    for (const element of this.body.rows) {
      this.#rows.set(key(element.dataset.endpointMethod, element.dataset.endpointName), new Row(element));
    }
    for (const button of this.table.querySelectorAll("[data-sort]")) {
      button.addEventListener("click", () => this.#sortBy(button));
    }
    this.filter = part("endpoint-filter");
    this.filter.addEventListener("input", () => {
      this.#needle = this.filter.value.trim().toLowerCase();
      this.#arrange();
    });
    this.showAll = h("button", { type: "button", class: "button quiet small" }, "Show all");
    this.showAll.addEventListener("click", () => {
      this.#all = true;
      this.#arrange();
    });
  }

  /** Takes all endpoints; those that are the same objects as before are known not to have changed. */
  show(endpoints, aggregated) {
    this.#endpoints = endpoints;
    const scale = latencyScale([...endpoints, aggregated]);
    if (Math.abs(scale - this.#scale) > RESCALE * this.#scale) this.#scale = scale;
    setAttribute(this.table, "data-intended", aggregated.intended !== null);
    this.aggregated.show(aggregated, this.#scale);
    this.#arrange();
  }

  #sortBy(button) {
    const column = button.dataset.sort;
    const first = column === "name" ? "ascending" : "descending";
    const other = first === "ascending" ? "descending" : "ascending";
    if (this.#sort?.column !== column) this.#sort = { column, direction: first };
    else this.#sort = this.#sort.direction === first ? { column, direction: other } : null;
    for (const header of this.table.querySelectorAll("[aria-sort]")) header.setAttribute("aria-sort", "none");
    if (this.#sort) button.closest("th").setAttribute("aria-sort", this.#sort.direction);
    this.#arrange();
  }

  /** Puts the rows that are shown in order, with their newest numbers, and takes the others out. Those in their place
   * are not touched, so that focus and selection stay. */
  #arrange() {
    const wanted = sorted(matching(this.#endpoints, this.#needle), this.#sort);
    const shown = this.#all ? wanted : wanted.slice(0, PAGE_ROWS);
    let place = this.body.firstElementChild;
    for (const endpoint of shown) {
      const row = this.#row(endpoint);
      row.show(endpoint, this.#scale);
      if (row.element === place) place = place.nextElementSibling;
      else this.body.insertBefore(row.element, place);
    }
    while (place) {
      const next = place.nextElementSibling;
      place.remove();
      place = next;
    }
    this.#tellOfMore(shown.length, wanted.length);
    const found = this.#needle ? `${count(wanted.length)} of ${count(this.#endpoints.length)}` : "";
    setText(part("endpoints-found"), found);
  }

  #row(endpoint) {
    const id = key(endpoint.method, endpoint.name);
    let row = this.#rows.get(id);
    if (!row) {
      row = Row.create(endpoint);
      this.#rows.set(id, row);
    }
    return row;
  }

  #tellOfMore(shown, all) {
    this.more.hidden = shown === all;
    if (this.more.hidden) return;
    if (!this.showAll.isConnected) this.more.replaceChildren(h("span"), " ", this.showAll);
    setText(this.more.firstElementChild, `${count(shown)} of ${count(all)} endpoints`);
  }
}

class Row {
  /** A copy of the Aggregated row, which is always in the page. */
  static create({ method, name }) {
    const element = part("aggregated-row").rows[0].cloneNode(true);
    setAttribute(element, "data-endpoint-method", method);
    setAttribute(element, "data-endpoint-name", name);
    const header = element.cells[0];
    setAttribute(header, "title", `${method} ${name}`.trim());
    setText(header.querySelector(".method"), method);
    const link = h("a", { class: "endpoint-name", href: "?", "data-scope-endpoint": true }, name);
    header.querySelector(".endpoint-name").replaceWith(link);
    return new Row(element);
  }

  #row = null;
  #scale = 0;

  constructor(element) {
    this.element = element;
    this.cells = Object.fromEntries(
      [...element.querySelectorAll("[data-field]")].map((cell) => [cell.dataset.field, cell]),
    );
    const { latency } = this.cells;
    this.marks = onBar.map(({ key, name }) => ({
      key,
      text: latency.querySelector(`.latency-numbers .${name} b`),
      bar: latency.querySelector(`rect.${name}`),
    }));
  }

  show(row, scale) {
    if (row === this.#row && scale === this.#scale) return;
    this.#row = row;
    this.#scale = scale;
    setAttribute(this.element, "data-failing", row.failures > 0);
    this.#cell("requests", row.requests, count(row.requests));
    this.#cell("fails", row.failures, count(row.failures));
    this.#cell("avg", row.avg_ms, ms(row.avg_ms));
    this.#cell("current-rps", row.current_rps, rate(row.current_rps));
    this.#latency(row, scale);
    this.#intended(row.intended);
    this.#firstByte(row);
  }

  #intended(times) {
    const cell = this.cells.intended;
    setAttribute(cell, "data-value", times?.p95_ms ?? 0);
    setAttribute(cell, "title", intendedTitle(times));
    setText(cell.querySelector("b"), times ? ms(times.p95_ms) : "–");
    setText(cell.querySelector("small"), times ? intendedDetails(times) : "");
  }

  #firstByte({ first_byte_only: some, requests }) {
    const holder = this.element.querySelector(".endpoint");
    let mark = holder.querySelector(".first-byte");
    if (some === 0) return mark?.remove();
    if (!mark) {
      mark = h("abbr", { class: "first-byte" }, "first byte");
      holder.append(mark);
    }
    setAttribute(
      mark,
      "title",
      some >= requests
        ? "Timed to the first byte of the response only"
        : `${count(some)} of ${count(requests)} requests were timed to the first byte of the response only`,
    );
  }

  #cell(field, value, text) {
    setAttribute(this.cells[field], "data-value", value);
    setText(this.cells[field], text);
  }

  #latency(row, scale) {
    const cell = this.cells.latency;
    setAttribute(cell, "data-value", onBar.map(({ key }) => row[key]).join(" "));
    setAttribute(cell, "title", timesTitle(row));
    for (const { key, text, bar } of this.marks) {
      const value = row[key];
      setText(text, ms(value));
      setAttribute(bar, "width", scale > 0 ? Math.min(BAR, (value / scale) * BAR).toFixed(2) : 0);
    }
  }
}

function intendedTitle(times) {
  if (!times) return "No requests have an intended start";
  const average = `average ${ms(times.avg_ms)} ms`;
  return `From the intended start: ${average}, ${timesTitle(times).toLowerCase()}; of ${count(times.requests)} requests`;
}

/** The numbers below the 95th percentile from the intended start: as many as there is room for. */
function intendedDetails(times) {
  const others = onBar.filter(({ key }) => key !== "p95_ms");
  return [`avg ${ms(times.avg_ms)}`, ...others.map(({ key, mark }) => `${mark} ${ms(times[key])}`)].join(" · ");
}

function key(method, name) {
  return JSON.stringify([method, name]);
}

/** The greatest percentile of the table's latency bars. */
function latencyScale(rows) {
  return Math.max(0, ...onBar.map(({ key }) => rows.reduce((most, row) => Math.max(most, row[key]), 0)));
}

/** The rows whose method and name hold `needle` (lower case). */
export function matching(rows, needle) {
  if (needle === "") return rows;
  return rows.filter(({ method, name }) => `${method} ${name}`.toLowerCase().includes(needle));
}

/** The rows in the order of `sort` ({column, direction}); as they came (by name and method) without one. */
export function sorted(rows, sort) {
  if (!sort) return rows;
  const sign = sort.direction === "ascending" ? 1 : -1;
  const compare =
    sort.column === "name"
      ? (a, b) => a.name.localeCompare(b.name) || a.method.localeCompare(b.method)
      : (a, b) => valueOf(a, sort.column) - valueOf(b, sort.column);
  return [...rows].sort((a, b) => sign * compare(a, b));
}

/** The number of a column: "requests", or "intended.p95_ms" for one that is deeper and may be missing. */
function valueOf(row, column) {
  return column.split(".").reduce((value, name) => value?.[name], row) ?? -1;
}
