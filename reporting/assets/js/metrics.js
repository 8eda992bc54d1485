// What the scenario counts beside its requests: the table, and which metrics are looked for. What is shown is written by the server.

import { h, part, setText } from "./dom.js";
import { count } from "./format.js";

/** So many metrics are found without help. */
export const MAX_AT_A_GLANCE = 12;

let names = [];
let needle = "";
const followers = [];

/** Calls this when others are looked for. */
export function onMetricFilter(changed) {
  followers.push(changed);
}

/** Whether a metric is one of those that are looked for. */
export const isFound = (name) => name.toLowerCase().includes(needle);

/** How its values add up, and their unit. */
export function kindText({ kind, unit }) {
  return unit ? `${kind}, ${unit}` : kind;
}

export function showMetrics({ note, rows }) {
  const section = part("custom-metrics");
  section.hidden = rows.length === 0;
  setText(section.querySelector(".note"), note);
  const body = section.querySelector(".metrics-table tbody");
  rows.forEach((row, index) => showRow(body.rows[index] ?? newRow(body, row.cells.length), row));
  while (body.rows.length > rows.length) body.lastElementChild.remove();
  names = rows.map(({ name }) => name);
  part("metric-search").hidden = names.length <= MAX_AT_A_GLANCE;
  filter();
}

part("metric-filter").addEventListener("input", ({ target }) => {
  needle = target.value.trim().toLowerCase();
  filter();
  for (const changed of followers) changed();
});

function filter() {
  const { rows } = part("custom-metrics").querySelector(".metrics-table tbody");
  names.forEach((name, index) => (rows[index].hidden = !isFound(name)));
  const found = names.filter(isFound).length;
  const text = found === 0 ? "No metric has this name" : `${count(found)} of ${count(names.length)} metrics`;
  setText(part("metrics-found"), needle === "" ? "" : text);
}

function newRow(body, cells) {
  const name = h("th", { scope: "row" }, h("span", { class: "name" }), h("span", { class: "kind" }));
  const row = h("tr", {}, name, ...Array.from({ length: cells }, () => h("td")));
  body.append(row);
  return row;
}

function showRow(row, { name, kind, unit, cells }) {
  setText(row.querySelector(".name"), name);
  setText(row.querySelector(".kind"), kindText({ kind, unit }));
  cells.forEach((cell, index) => setText(row.cells[index + 1], cell));
}
