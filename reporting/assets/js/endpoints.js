// Endpoint Statistics: the rows of templates/run/endpoint_row.html, updated in place, sorted and with the columns that the
// reader likes. Of many rows those in sight are in the page.

import { h, part, setAttribute, setText } from "./dom.js";
import { columnsOf, matching, nextSort, remembered, rowsInSight, sorted } from "./endpoint_columns.js";
import { count, ms, rate } from "./format.js";
import { allPercentiles, onBar, timesTitle } from "./percentiles.js";
import { scopeLink } from "./scope_links.js";

/** SVG units of a full latency bar. */
const BAR = 100;
/** Bars are drawn anew only when the longest one has changed by this share, because that changes all of them. */
const RESCALE = 0.02;
/** So few rows are all in the page; of more, those in sight and so many to both sides. */
const FEW_ROWS = 60;
const SPARE_ROWS = 12;
const KEY = "greylag-endpoints";
/** Least width of the table with further columns: of a few columns together, and of each, in px. */
const FIRST_WIDTH = 240;
const MORE_WIDTH = 96;

const columns = columnsOf(allPercentiles);

export class Endpoints {
  /** Rows by endpoint: those that are or were in the page. */
  #rows = new Map();
  #endpoints = [];
  /** The rows to be shown, in order. */
  #wanted = [];
  #liked = remembered(read(), columns);
  #shown = null;
  #scale = 0;
  #needle = "";
  #rowHeight = 0;
  #frame = 0;
  /** Which of the wanted rows are in the page: [first, end). */
  #placed = [0, 0];
  #isPrinting = false;
  #all = { requests: 0, seconds: 0 };

  constructor() {
    this.table = part("endpoints");
    this.body = part("endpoint-rows");
    this.scroller = this.table.closest(".table-scroll");
    this.head = this.table.tHead.rows[0];
    this.aggregated = new Row(part("aggregated-row").rows[0]);
    for (const element of this.body.rows) {
      this.#rows.set(key(element.dataset.endpointMethod, element.dataset.endpointName), new Row(element));
    }
    this.spaces = [spacer(), spacer()];
    this.body.before(this.spaces[0]);
    this.body.after(this.spaces[1]);
    part("endpoints-more").remove();
    this.head.addEventListener("click", ({ target }) => {
      const button = target.closest("[data-sort]");
      if (button) this.#sortBy(button.dataset.sort);
    });
    this.filter = part("endpoint-filter");
    this.filter.addEventListener("input", () => {
      this.#needle = this.filter.value.trim().toLowerCase();
      this.scroller.scrollTop = 0;
      this.#arrange();
    });
    this.scroller.addEventListener("scroll", () => this.#placeSoon(), { passive: true });
    new ResizeObserver(() => this.#measureAgain()).observe(this.scroller);
    addEventListener("beforeprint", () => this.#print(true));
    addEventListener("afterprint", () => this.#print(false));
    this.#offerColumns();
    this.#showColumns();
    this.#showSort();
  }

  /** Takes all endpoints of `seconds`; those that are the same objects as before are known not to have changed. */
  show(endpoints, aggregated, seconds) {
    this.#endpoints = endpoints;
    this.#all = { requests: aggregated.requests, seconds };
    const scale = latencyScale([...endpoints, aggregated]);
    if (Math.abs(scale - this.#scale) > RESCALE * this.#scale) this.#scale = scale;
    setAttribute(this.table, "data-intended", aggregated.intended !== null);
    this.aggregated.show(aggregated, this.#scale, this.#all, this.#shownColumns());
    this.#arrange();
  }

  /** The same list until other columns are chosen. */
  #shownColumns() {
    const liked = this.#liked.shown;
    this.#shown ??= columns.filter(({ key, isFixed, isShown }) => isFixed || (liked ? liked.includes(key) : isShown));
    return this.#shown;
  }

  #offerColumns() {
    const list = part("endpoint-columns");
    const choices = columns.filter(({ isFixed }) => !isFixed);
    for (const { key, label } of choices) {
      const box = h("input", { type: "checkbox", value: key });
      list.append(h("li", {}, h("label", { class: "check" }, box, label)));
    }
    const usual = h("button", { type: "button", class: "button quiet small" }, "The usual ones");
    usual.addEventListener("click", () => this.#like({ shown: null }));
    list.append(h("li", {}, usual));
    list.addEventListener("change", () =>
      this.#like({ shown: [...list.querySelectorAll("input:checked")].map(({ value }) => value) }),
    );
  }

  #like(change) {
    Object.assign(this.#liked, change);
    this.#shown = null;
    try {
      localStorage.setItem(KEY, JSON.stringify(this.#liked));
    } catch {
      // Without storage it lasts as long as the page.
    }
    this.#showColumns();
    this.#showSort();
    if (this.#endpoints.length > 0) this.#measureAgain();
  }

  /** Heads, and cells of the row of all endpoints; the other rows follow as they are shown. */
  #showColumns() {
    const shown = this.#shownColumns();
    const keys = new Set(shown.map(({ key }) => key));
    for (const box of part("endpoint-columns").querySelectorAll("input")) box.checked = keys.has(box.value);
    for (const head of [...this.head.cells]) {
      if (head.dataset.more !== undefined) head.remove();
      else head.hidden = !keys.has(head.dataset.column);
    }
    const more = shown.filter(({ text }) => text);
    for (const { key, label } of more) {
      const button = h("button", { type: "button", "data-sort": key }, label);
      this.head.append(h("th", { scope: "col", "aria-sort": "none", class: "num more", "data-column": key, "data-more": true }, button));
    }
    this.table.style.setProperty("--least-width", more.length > 0 ? `${FIRST_WIDTH + shown.length * MORE_WIDTH}px` : "0");
    setAttribute(this.table, "data-more", more.length > 0);
    this.aggregated.reshow(this.#scale, this.#all, shown);
  }

  #sortBy(column) {
    this.#like({ sort: nextSort(this.#liked.sort, column) });
  }

  #showSort() {
    const { sort } = this.#liked;
    for (const head of this.head.cells) {
      setAttribute(head, "aria-sort", sort && head.dataset.column === sort.column ? sort.direction : "none");
    }
  }

  /** Finds the rows to be shown and their order. */
  #arrange() {
    this.#wanted = sorted(matching(this.#endpoints, this.#needle), this.#liked.sort, columns, this.#all);
    this.#place();
    const found = this.#needle ? `${count(this.#wanted.length)} of ${count(this.#endpoints.length)}` : "";
    setText(part("endpoints-found"), found);
  }

  #placeSoon() {
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      const [first, end] = this.#inSight();
      if (first !== this.#placed[0] || end !== this.#placed[1]) this.#place();
    });
  }

  /** Puts the rows in sight in order, with their newest numbers, and takes the others out. Those in their place are not
   * touched, so that focus and selection stay. */
  #place() {
    const wanted = this.#wanted;
    const [first, end] = (this.#placed = this.#inSight());
    const shown = this.#shownColumns();
    let place = this.body.firstElementChild;
    for (let index = first; index < end; index += 1) {
      const endpoint = wanted[index];
      const row = this.#row(endpoint);
      row.show(endpoint, this.#scale, this.#all, shown);
      // The heads are the first row.
      setAttribute(row.element, "aria-rowindex", index + 2);
      if (row.element === place) place = place.nextElementSibling;
      else this.body.insertBefore(row.element, place);
    }
    while (place) {
      const next = place.nextElementSibling;
      if (place.contains(document.activeElement)) this.scroller.focus({ preventScroll: true });
      place.remove();
      place = next;
    }
    setAttribute(this.table, "aria-rowcount", wanted.length + 2);
    setAttribute(this.head, "aria-rowindex", 1);
    setAttribute(this.aggregated.element, "aria-rowindex", wanted.length + 2);
    this.#space(this.spaces[0], first);
    this.#space(this.spaces[1], wanted.length - end);
    if (this.#rowHeight === 0 && end > first) this.#measure();
  }

  #inSight() {
    const many = this.#wanted.length;
    if (many <= FEW_ROWS || this.#isPrinting) return [0, many];
    const { scrollTop, clientHeight } = this.scroller;
    return rowsInSight(many, this.#rowHeight, scrollTop, clientHeight, SPARE_ROWS);
  }

  #space(element, rows) {
    element.hidden = rows === 0;
    element.rows[0].cells[0].style.height = `${rows * this.#rowHeight}px`;
  }

  /** Rows are as high as each other, but differently so in a window of another width. */
  #measure() {
    const { height } = this.body.getBoundingClientRect();
    if (height === 0) return;
    this.#rowHeight = height / this.body.rows.length;
    this.#place();
  }

  #measureAgain() {
    this.#rowHeight = 0;
    this.#arrange();
  }

  /** On paper all rows are in sight. */
  #print(isPrinting) {
    this.#isPrinting = isPrinting;
    this.#place();
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
}

/** What is in place of rows that are out of sight. */
function spacer() {
  return h("tbody", { class: "spacer", "aria-hidden": "true", hidden: true }, h("tr", {}, h("td")));
}

function read() {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null;
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
    const link = scopeLink("endpoint", { class: "endpoint-name", "data-scope-endpoint": true }, name);
    header.querySelector(".endpoint-name").replaceWith(link);
    return new Row(element);
  }

  #row = null;
  #scale = 0;
  /** The columns that it has cells of. */
  #columns = null;
  #all = null;
  /** Cells of columns that the server does not write, by key. */
  #more = new Map();

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

  /** Shows it with other columns. */
  reshow(scale, all, columns) {
    if (this.#row) this.show(this.#row, scale, all, columns);
  }

  show(row, scale, all, columns) {
    this.#showMore(row, all, columns);
    if (row === this.#row && scale === this.#scale) return;
    this.#row = row;
    this.#scale = scale;
    setAttribute(this.element, "data-failing", row.failures > 0);
    this.#cell("requests", row.requests, count(row.requests));
    this.#cell("fails", row.failures, count(row.failures));
    this.#cell("avg", row.avg_ms, ms(row.avg_ms));
    // A file may not have it.
    this.#cell("current-rps", row.current_rps ?? 0, row.current_rps === null ? "–" : rate(row.current_rps));
    this.#latency(row, scale);
    this.#intended(row.intended);
    this.#firstByte(row);
  }

  /** Which cells there are, and those that are not of the template. */
  #showMore(row, all, columns) {
    if (columns !== this.#columns) {
      this.#columns = columns;
      for (const cell of [...this.element.cells]) {
        if (cell.dataset.more !== undefined) cell.remove();
        else cell.hidden = !columns.some(({ key }) => key === cell.dataset.column);
      }
      const more = columns.filter(({ text }) => text);
      this.#more = new Map(
        more.map(({ key, label }) => [
          key,
          h("td", { class: "num more", "data-label": label, "data-column": key, "data-field": `column-${key}`, "data-more": true }),
        ]),
      );
      this.element.append(...this.#more.values());
      this.#all = null;
    }
    if (this.#more.size === 0 || (row === this.#row && all === this.#all)) return;
    this.#all = all;
    for (const { key, value, text } of columns) {
      const cell = this.#more.get(key);
      if (!cell) continue;
      const number = value(row, all) ?? 0;
      setAttribute(cell, "data-value", number);
      setText(cell, text(number));
    }
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
