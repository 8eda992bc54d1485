// The table of errors, most frequent first.

import { h, part, setAttribute, setText } from "./dom.js";
import { count } from "./format.js";

export function showErrors(errors) {
  const holder = part("errors");
  holder.hidden = errors.length === 0;
  const body = holder.querySelector("tbody");
  errors.forEach((error, index) => {
    let row = body.rows[index];
    if (!row) {
      row = h(
        "tr",
        {},
        h("td", {}, h("span", { class: "method" })),
        h("td", { class: "clip" }),
        h("td", { class: "error-text" }),
        h("td", { class: "num" }),
      );
      body.append(row);
    }
    const [method, name, text, occurrences] = row.cells;
    setText(method.firstElementChild, error.method);
    setText(name, error.name);
    setAttribute(name, "title", error.name);
    setText(text, error.error);
    setAttribute(text, "title", error.error);
    setText(occurrences, count(error.occurrences));
    setAttribute(occurrences, "data-value", error.occurrences);
  });
  while (body.rows.length > errors.length) body.lastElementChild.remove();
}
