// What stands above the numbers because it says something about them: what is wrong right now, and what the load
// generator itself ran short of.

import { h, part, setMessage } from "./dom.js";

export const showNotices = (notices) => showMessages("notices", notices);
export const showWarnings = (warnings) => showMessages("warnings", warnings);

function showMessages(role, messages) {
  const holder = part(role);
  holder.hidden = messages.length === 0;
  const list = holder.querySelector("ul");
  messages.forEach(({ message }, index) => {
    let item = list.children[index];
    if (!item) {
      item = h("li");
      list.append(item);
    }
    setMessage(item, message);
  });
  while (list.children.length > messages.length) list.lastElementChild.remove();
}
