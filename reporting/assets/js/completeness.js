// Whether the numbers are everything that was sent, and how much of the load there was, above the numbers.

import { h, part, setAttribute, setMessage } from "./dom.js";

export function showCompleteness({ complete, remark, gaps, coverage }) {
  part("incomplete-pill").hidden = complete;
  // The first one is in the remark.
  show("completeness", !complete, remark, gaps.slice(1));
  part("partial-pill").hidden = coverage.full;
  show("coverage", !coverage.full, coverage.remark, coverage.losses);
}

function show(role, isShown, remark, items) {
  const holder = part(role);
  holder.hidden = !isShown;
  setMessage(part(`${role}-remark`), remark ?? "");
  const list = holder.querySelector("ul");
  items.forEach(({ code, message }, index) => {
    let item = list.children[index];
    if (!item) {
      item = h("li");
      list.append(item);
    }
    setAttribute(item, "data-code", code);
    setMessage(item, message);
  });
  while (list.children.length > items.length) list.lastElementChild.remove();
}
