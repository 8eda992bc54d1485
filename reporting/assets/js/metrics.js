// What the scenario counts beside its requests: the table. What is shown is written by the server.

import { h, part, setText } from "./dom.js";

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
