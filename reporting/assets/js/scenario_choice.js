// The scenarios of the start form are those of the chosen infrastructure's agents. Without this module all are listed.

import { h, part } from "./dom.js";

/** What agents declare, as the server wrote it into the page. */
function known(root = document) {
  const data = part("scenarios", root);
  return data ? JSON.parse(data.textContent) : [];
}

export class ScenarioChoice {
  #form;
  #rows = known();
  /** A scenario that the server wrote although no agent has it: it stays until another infrastructure is chosen. */
  #absent = null;

  constructor(form) {
    this.#form = form;
    const select = this.#select();
    if (!select) return;
    if (select.value && !this.#rows.some((row) => row.name === select.value)) this.#absent = select.selectedOptions[0].cloneNode(true);
    form.elements.infrastructure.addEventListener("change", () => {
      this.#absent = null;
      this.show();
    });
    this.show();
  }

  #select() {
    const field = this.#form.elements.scenario;
    return field instanceof HTMLSelectElement ? field : null;
  }

  /** Takes over what agents declare now. */
  refresh(fresh) {
    this.#rows = known(fresh);
    this.#becomeSelect(fresh.querySelector('[data-role="start-form"] select[name="scenario"]'));
    this.show();
  }

  /** As long as no agent has a scenario there is a field to type into. */
  #becomeSelect(next) {
    const field = this.#form.elements.scenario;
    if (!next || !field || field instanceof HTMLSelectElement || field.value || field === document.activeElement) return;
    field.replaceWith(document.adoptNode(next));
  }

  #offered() {
    const infrastructure = this.#form.elements.infrastructure.value;
    return this.#rows.filter((row) => row.infrastructures.includes(infrastructure));
  }

  /** Lists the scenarios of the chosen infrastructure; of those that are listed the chosen one stays. */
  show() {
    const select = this.#select();
    if (!select || select === document.activeElement) return;
    const chosen = select.value;
    const options = this.#offered().map((row) => h("option", { value: row.name, title: row.description }, row.name));
    if (this.#absent) options.unshift(this.#absent.cloneNode(true));
    if (options.length === 0) options.push(h("option", { value: "" }, "No agent is connected"));
    const listed = JSON.stringify(options.map((option) => option.outerHTML));
    if (select.dataset.listed === listed) return;
    select.dataset.listed = listed;
    select.replaceChildren(...options);
    const stays = options.find((option) => option.value === chosen);
    (stays ?? options[0]).selected = true;
  }

  /** What is declared of the chosen scenario on the chosen infrastructure; null if no agent declares it. */
  chosen() {
    const name = this.#form.elements.scenario?.value;
    return this.#offered().find((row) => row.name === name) ?? null;
  }
}
