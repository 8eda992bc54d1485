// Buttons below a field that takes names (tags, user types): they are what the chosen scenario has, and write into the
// field what is chosen. Without this module the names are typed.

import { h } from "./dom.js";

/** Names as the server reads them: commas or spaces between them, quotes around one that has these. */
export function readNames(text) {
  const found = [...text.matchAll(/(?:"[^"]*"?|[^\s,"])+/g)];
  return found.map(([name]) => name.replaceAll('"', "").trim()).filter(Boolean);
}

/** The same as a text. */
export function writeNames(names) {
  return names.map((name) => (/[\s,]/.test(name) ? `"${name}"` : name)).join(", ");
}

/** Shows the names below the field; those that stand in it are pressed. */
export function showChips(field, names) {
  const holder = field.closest(".field");
  let chips = holder.querySelector(".name-chips");
  if (!chips) {
    chips = h("div", { class: "name-chips", role: "group", "aria-label": `${holder.querySelector("label").textContent} of the scenario` });
    chips.addEventListener("click", (event) => toggle(field, event.target.closest("button")?.dataset.name));
    field.after(chips);
    field.removeAttribute("list");
  }
  const chosen = readNames(field.value);
  const wanted = JSON.stringify(names);
  if (chips.dataset.names !== wanted) {
    chips.dataset.names = wanted;
    chips.replaceChildren(...names.map((name) => h("button", { type: "button", class: "chip", "data-name": name }, name)));
  }
  for (const chip of chips.children) chip.setAttribute("aria-pressed", String(chosen.includes(chip.dataset.name)));
}

function toggle(field, name) {
  if (name === undefined) return;
  const names = readNames(field.value);
  const rest = names.filter((other) => other !== name);
  field.value = writeNames(rest.length < names.length ? rest : [...names, name]);
  field.dispatchEvent(new Event("input", { bubbles: true }));
}
