// What the load generator itself ran short of, above the numbers it says something about.

import { h, part, setText } from "./dom.js";

export function showWarnings(warnings) {
  const holder = part("warnings");
  holder.hidden = warnings.length === 0;
  const list = holder.querySelector("ul");
  warnings.forEach((warning, index) => {
    let item = list.children[index];
    if (!item) {
      item = h("li");
      list.append(item);
    }
    setText(item, warning.message);
  });
  while (list.children.length > warnings.length) list.lastElementChild.remove();
}
