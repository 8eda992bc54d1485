// The table of errors, most frequent first; a search of the console shows only those that it finds.

import { h, part, setAttribute, setText } from "./dom.js";
import { count, duration } from "./format.js";

let needle = "";
let shown = [];

export function showErrors(errors) {
  shown = errors;
  const holder = part("errors");
  holder.hidden = errors.length === 0;
  const body = holder.querySelector("tbody");
  errors.forEach((error, index) => showRow(body.rows[index] ?? body.appendChild(newRow()), error));
  while (body.rows.length > errors.length) body.lastElementChild.remove();
  filter();
}

/** Shows only errors that hold `text` (lower case; empty for all); gives how many of how many. */
export function searchErrors(text) {
  needle = text;
  return filter();
}

function newRow() {
  const number = (label) => h("td", { class: "num", "data-label": label });
  return h(
    "tr",
    {},
    h("td", {}, h("span", { class: "method" })),
    h("td", { class: "clip" }),
    h("td", { class: "error-text" }),
    number("Occurrences"),
    number("First seen"),
    number("Last seen"),
  );
}

function showRow(row, error) {
  const [method, name, text, occurrences, first, last] = row.cells;
  setText(method.firstElementChild, error.method);
  setText(name, error.name);
  setAttribute(name, "title", error.name);
  setAttribute(text, "title", error.error);
  const whole = error.place ? `${error.error} ${error.place}` : error.error;
  if (text.textContent !== whole)
    text.replaceChildren(error.error, ...(error.place ? [" ", h("span", { class: "place" }, error.place)] : []));
  for (const [cell, value, words] of [
    [occurrences, error.occurrences, count(error.occurrences)],
    [first, error.first_s, duration(error.first_s)],
    [last, error.last_s, duration(error.last_s)],
  ]) {
    setText(cell, words);
    setAttribute(cell, "data-value", value);
  }
}

function filter() {
  const rows = part("errors").querySelector("tbody").rows;
  let found = 0;
  shown.forEach((error, index) => {
    const text = [error.method, error.name, error.error, error.place ?? ""].join(" ").toLowerCase();
    const matches = text.includes(needle);
    if (matches) found += 1;
    rows[index].hidden = !matches;
  });
  setText(part("errors-shown"), needle === "" ? "" : `${count(found)} of ${count(shown.length)}`);
  return [found, shown.length];
}
