// Of the scenarios' options in the start form only those of the chosen one are shown and sent. Without this module all
// are there, in groups.

import { part } from "./dom.js";

const groups = (within) => [...within.querySelectorAll("[data-scenario]")];

/** Shows the group of the chosen scenario on the chosen infrastructure. */
export function showOptions(form) {
  const holder = part("scenario-options", form);
  if (!holder) return;
  const [chosen, infrastructure] = [form.elements.scenario.value, form.elements.infrastructure.value];
  for (const group of groups(holder)) {
    const { scenario, infrastructures } = group.dataset;
    // A group without infrastructures is of a scenario that no agent has.
    const own = scenario === chosen && (!infrastructures || JSON.parse(infrastructures).includes(infrastructure));
    group.hidden = !own;
    group.disabled = !own;
  }
}

/** Scenarios come and go while the form is open; what was typed into those that stay is left alone. */
export function refreshOptions(fresh) {
  const [holder, next] = [part("scenario-options"), part("scenario-options", fresh)];
  if (!holder || !next) return;
  const wanted = groups(next);
  for (const group of groups(holder)) {
    const other = wanted.find((other) => same(group, other));
    if (!other) group.remove();
    else if (other.dataset.infrastructures) group.dataset.infrastructures = other.dataset.infrastructures;
  }
  for (const group of wanted) {
    if (!groups(holder).some((other) => same(group, other))) holder.append(document.adoptNode(group));
  }
}

/** Whether two groups ask for the same, whatever was typed. */
function same(a, b) {
  const asked = (group) => {
    const fields = [...group.elements].map(({ name, type, options }) => [name, type, [...(options ?? [])].map(({ value }) => value)]);
    return JSON.stringify([group.dataset.scenario, Boolean(group.dataset.infrastructures), ...fields]);
  };
  return asked(a) === asked(b);
}
