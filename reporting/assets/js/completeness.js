// Whether the numbers are everything that was sent, above the numbers.

import { h, part, setMessage } from "./dom.js";

export function showCompleteness({ complete, remark, gaps }) {
  part("incomplete-pill").hidden = complete;
  const holder = part("completeness");
  holder.hidden = complete;
  setMessage(part("completeness-remark"), remark ?? "");
  // The first one is in the remark.
  const others = gaps.slice(1);
  const list = holder.querySelector("ul");
  others.forEach((gap, index) => {
    let item = list.children[index];
    if (!item) {
      item = h("li");
      list.append(item);
    }
    item.dataset.code = gap.code;
    setMessage(item, gap.message);
  });
  while (list.children.length > others.length) list.lastElementChild.remove();
}
