// How the thresholds of a run stand: the table, and the badge beside the status. What is shown is written by the server.

import { h, part, setAttribute, setText } from "./dom.js";

export function showThresholds({ standing, badge, rows }) {
  const pill = part("verdict-pill");
  pill.hidden = badge === "";
  setText(pill, badge);
  setAttribute(pill, "data-verdict", standing);
  const section = part("thresholds");
  section.hidden = rows.length === 0;
  setAttribute(section, "data-standing", standing);
  const body = section.querySelector("tbody");
  rows.forEach((row, index) => showRow(body.rows[index] ?? newRow(body), row));
  while (body.rows.length > rows.length) body.lastElementChild.remove();
}

function newRow(body) {
  const condition = h("th", { scope: "row" }, h("span", { class: "condition" }), h("span", { class: "explanation" }));
  const row = h("tr", {}, condition, h("td"), h("td"), h("td", {}, h("span", { class: "state" })), h("td"));
  body.append(row);
  return row;
}

function showRow(row, { condition, explanation, state, actual_text, limit_text, state_text, since_text }) {
  setAttribute(row, "data-state", state);
  const [what, actual, limit, , since] = row.cells;
  setText(what.querySelector(".condition"), condition);
  const said = what.querySelector(".explanation");
  setText(said, explanation ?? "");
  said.hidden = !explanation;
  setText(actual, actual_text);
  setText(limit, limit_text);
  setText(row.querySelector(".state"), state_text);
  setText(since, since_text);
}
