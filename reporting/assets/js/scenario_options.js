// Of the scenarios' options in the start form only those of the chosen one are shown and sent. Without this module all
// are there, in groups.

import { part } from "./dom.js";

const groups = (within) => [...within.querySelectorAll("[data-scenario]")];

/** Shows the chosen scenario's group; returns what that scenario decides itself. */
export function showOptions(form) {
  const chosen = form.elements.scenario.value;
  let decides = { shape: false, hosts: false };
  for (const group of groups(part("scenario-options", form))) {
    const own = group.dataset.scenario === chosen;
    group.hidden = !own;
    group.disabled = !own;
    if (own) decides = { shape: group.dataset.shape === "true", hosts: group.dataset.hosts === "true" };
  }
  form.elements.host.required = !decides.hosts;
  return decides;
}

/** Scenarios come and go while the form is open; what was typed into those that stay is left alone. */
export function refreshOptions(fresh) {
  const [holder, next] = [part("scenario-options"), part("scenario-options", fresh)];
  if (!holder || !next) return;
  const wanted = groups(next);
  for (const group of groups(holder)) {
    if (!wanted.some((other) => same(group, other))) group.remove();
  }
  for (const group of wanted) {
    if (!groups(holder).some((other) => same(group, other))) holder.append(document.adoptNode(group));
  }
}

/** Whether two groups ask for the same, whatever was typed. */
function same(a, b) {
  const asked = (group) =>
    JSON.stringify([group.dataset.scenario, ...[...group.elements].map(({ name, type }) => [name, type])]);
  return asked(a) === asked(b);
}
