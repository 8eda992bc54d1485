// The scenarios of the start form are those of the chosen infrastructure's agents. Where agents are only made for a run
// there may be none that says what it has: then any name can be typed. Without this module all are listed.

import { h, part } from "./dom.js";

/** What agents declare, as the server wrote it into the page. */
function known(root = document) {
  const data = part("scenarios", root);
  return data ? JSON.parse(data.textContent) : [];
}

/** What the field is in the form, whichever kind it has. */
function sharedAttributes(select) {
  return Object.fromEntries(["id", "name", "aria-describedby"].map((name) => [name, select.getAttribute(name)]));
}

export class ScenarioChoice {
  #form;
  #rows = known();
  /** A scenario that the server wrote although no agent has it: it stays until another infrastructure is chosen. */
  #absent = null;
  #select = null;
  #text = null;

  constructor(form) {
    this.#form = form;
    this.#take(form.elements.scenario);
    const select = this.#select;
    if (select?.value && !this.#rows.some((row) => row.name === select.value)) this.#absent = select.selectedOptions[0].cloneNode(true);
    form.elements.infrastructure.addEventListener("change", () => {
      this.#absent = null;
      this.#show(true);
    });
    this.#show(false);
  }

  /** Remembers a field of either kind, and makes the other one. */
  #take(field) {
    if (field instanceof HTMLSelectElement) {
      this.#select = field;
      this.#text ??= h("input", { ...sharedAttributes(field), placeholder: "the agents' only scenario", autocomplete: "off" });
    } else if (field instanceof HTMLInputElement) {
      this.#text = field;
    }
  }

  /** Takes over what agents declare now. */
  refresh(fresh) {
    this.#rows = known(fresh);
    this.#becomeSelect(fresh.querySelector('[data-role="start-form"] select[name="scenario"]'));
    this.#show(false);
  }

  /** As long as no agent has ever had a scenario the server writes a field to type into. */
  #becomeSelect(next) {
    if (next && this.#text && !this.#select) this.#take(document.adoptNode(next));
  }

  #offered() {
    const infrastructure = this.#form.elements.infrastructure.value;
    return this.#rows.filter((row) => row.infrastructures.includes(infrastructure));
  }

  /** Lists the scenarios of the chosen infrastructure; of those that are listed the chosen one stays. */
  #show(isAnother) {
    const [select, field] = [this.#select, this.#form.elements.scenario];
    if (!select || field === document.activeElement) return;
    const options = this.#offered().map((row) => h("option", { value: row.name, title: row.description }, row.name));
    if (this.#absent) options.unshift(this.#absent.cloneNode(true));
    const next = options.length > 0 ? select : this.#text;
    // What is typed stays until another infrastructure is chosen.
    if (next === select && field === this.#text && field.value && !isAnother) return;
    if (next !== field) field.replaceWith(next);
    const listed = JSON.stringify(options.map((option) => option.outerHTML));
    if (options.length === 0 || select.dataset.listed === listed) return;
    const chosen = field.value;
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
