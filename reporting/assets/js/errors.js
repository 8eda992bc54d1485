// The table of errors, most frequent first; a search of the console shows only those that it finds.

import { h, part, setAttribute, setText } from "./dom.js";
import { ErrorSamples } from "./error_samples.js";
import { count, duration, percent } from "./format.js";
import { scopeLink } from "./scope_links.js";

/** Agents that fit into a column; error_spread.rs names as many. */
const FIRST_AGENTS = 2;

let needle = "";
let shown = [];
const samples = new ErrorSamples(() => shown.forEach(showOpened));
part("errors").querySelector("tbody").addEventListener("click", ({ target }) => {
  const button = target.closest("button.error-open");
  if (!button) return;
  const row = button.closest("tr");
  samples.toggle(shown[row.sectionRowIndex], button);
});

export function showErrors(errors) {
  shown = errors;
  samples.follow(errors);
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
    h("td", { class: "clip" }, scopeLink("endpoint", { class: "endpoint-name", "data-scope": "" })),
    h("td", { class: "error-text" }),
    number("Occurrences"),
    number("First seen"),
    number("Last seen"),
    number("Of requests"),
    h("td", { class: "error-agents", "data-label": "Agents" }),
  );
}

function showRow(row, error) {
  const [method, name, text, occurrences, first, last, share, agents] = row.cells;
  setText(method.firstElementChild, error.method);
  setText(name.firstElementChild, error.name);
  setAttribute(name.firstElementChild, "data-scope", only("endpoint", `${error.method} ${error.name}`.trimStart()));
  setAttribute(name, "title", error.name);
  setAttribute(text, "title", error.error);
  const whole = error.place ? `${error.error} ${error.place}` : error.error;
  const hasButton = text.firstElementChild?.classList.contains("error-open") ?? false;
  if (text.textContent !== whole || hasButton !== error.samples > 0) {
    const parts = [error.error, ...(error.place ? [" ", h("span", { class: "place" }, error.place)] : [])];
    const open = () => h("button", { type: "button", class: "error-open", "aria-controls": "error-samples" }, ...parts);
    text.replaceChildren(...(error.samples > 0 ? [open()] : parts));
  }
  showOpened(error, row.sectionRowIndex);
  for (const [cell, value, words] of [
    [occurrences, error.occurrences, count(error.occurrences)],
    [first, error.first_s, duration(error.first_s)],
    [last, error.last_s, duration(error.last_s)],
    [share, error.request_share ?? 0, error.request_share === null ? "" : percent(error.request_share)],
  ]) {
    setText(cell, words);
    setAttribute(cell, "data-value", value);
  }
  setAttribute(share, "title", error.error_share === null ? "" : `${percent(error.error_share)} of all errors`);
  showAgents(agents, error);
}

/** Says at an error whether its samples are shown. */
function showOpened(error, index) {
  const row = part("errors").querySelector("tbody").rows[index];
  const button = row?.querySelector("button.error-open");
  if (button) setAttribute(button, "aria-expanded", samples.isOf(error));
}

function showAgents(cell, { agents, agent_count: all }) {
  const names = agents.join(", ");
  // The names of few are all there is to compare.
  if (cell.title === names && cell.dataset.count === String(all)) return;
  cell.title = names;
  cell.dataset.count = all;
  const first = agents.slice(0, FIRST_AGENTS);
  const others = all - first.length;
  cell.replaceChildren(
    ...first.map((agent) => scopeLink("agent", { "data-scope": only("agent", agent) }, agent)),
    ...(others > 0 ? [h("span", {}, `+${count(others)}`)] : []),
  );
}

/** A link's change of the part that is shown. */
function only(name, value) {
  return new URLSearchParams({ [name]: value }).toString();
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
