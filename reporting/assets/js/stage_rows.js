// The rows of stages in the start form: added and removed, read for the drawing. Without this module there are some
// empty rows, and empty rows do not count.

import { h, part } from "./dom.js";
import { parseDuration } from "./format.js";

const COLUMNS = ["users", "ramp", "duration"];
const NAMES = { users: "Users", ramp: "Ramp", duration: "Duration" };
const PER_SECOND = "/s";

export class StageRows {
  #holder;
  #changed;

  /** Takes over the rows of the page; `changed` is called when one comes or goes. */
  constructor(form, changed) {
    this.#changed = changed;
    this.#holder = part("stages", form).querySelector(".stage-rows");
    const add = h("button", { type: "button", class: "button small quiet", "data-role": "add-stage" }, "Add a stage");
    add.addEventListener("click", () => this.#add());
    this.#holder.after(add);
    for (const row of this.#rows()) this.#addRemoveButton(row);
    this.#removeEmptyRows();
    part("stages", form).addEventListener("toggle", (event) => {
      if (event.target.open && this.#rows().length === 0) this.#add();
    });
  }

  #rows() {
    return [...this.#holder.querySelectorAll('[data-role="stage"]')];
  }

  #removeEmptyRows() {
    for (const row of this.#rows()) {
      if (this.#cells(row).every((cell) => !cell.value.trim())) row.remove();
    }
    this.#label();
  }

  #cells(row) {
    return COLUMNS.map((column) => row.querySelector(`[name$=":${column}"]`));
  }

  #add() {
    const numbers = this.#rows().map((row) => Number(this.#cells(row)[0].name.split(":")[1]));
    const number = Math.max(0, ...numbers) + 1;
    const cells = COLUMNS.map((column) =>
      h("input", {
        name: `stage:${number}:${column}`,
        placeholder: { users: "50", ramp: "0s", duration: "2m" }[column],
        autocomplete: "off",
        "aria-describedby": "stage-help",
      }),
    );
    const row = h("div", { class: "stage-row", "data-role": "stage" }, ...cells);
    this.#addRemoveButton(row);
    this.#holder.append(row);
    this.#label();
    cells[0].focus();
    this.#changed();
  }

  #addRemoveButton(row) {
    const remove = h("button", { type: "button", class: "icon-button remove-stage" }, "×");
    remove.addEventListener("click", () => {
      const next = row.nextElementSibling ?? row.previousElementSibling;
      row.remove();
      this.#label();
      (next?.querySelector("input") ?? this.#holder.nextElementSibling).focus();
      this.#changed();
    });
    this.#cells(row).at(-1).after(remove);
  }

  #label() {
    this.#rows().forEach((row, index) => {
      this.#cells(row).forEach((cell, column) => {
        cell.setAttribute("aria-label", `${NAMES[COLUMNS[column]]} of stage ${index + 1}`);
      });
      row.querySelector("button").setAttribute("aria-label", `Remove stage ${index + 1}`);
    });
  }

  /** The stages that are typed, each with its fields, what they say and what is wrong with them. */
  read() {
    return this.#rows()
      .map((row) => this.#cells(row))
      .filter((cells) => cells.some((cell) => cell.value.trim()))
      .map(([users, ramp, duration]) => readStage(users, ramp, duration));
  }
}

function readStage(users, ramp, duration) {
  const [usersText, rampText] = [users.value.trim(), ramp.value.trim()];
  const isRate = (text) => text.endsWith(PER_SECOND);
  const rate = (text) => (text.slice(0, -2).trim() ? Number(text.slice(0, -2)) : NaN);
  const stage = {
    users: usersText && !isRate(usersText) ? Number(usersText) : null,
    arrivals: isRate(usersText) ? rate(usersText) : null,
    spawnRate: isRate(rampText) ? rate(rampText) : null,
    rampS: rampText && !isRate(rampText) ? parseDuration(rampText) : 0,
    durationS: parseDuration(duration.value),
  };
  const errors = new Map([
    [users, usersError(stage)],
    [ramp, rampError(stage)],
    [duration, stage.durationS > 0 ? null : "Enter how long the stage lasts, its ramp included, such as 2m."],
  ]);
  return { ...stage, errors };
}

function usersError({ users, arrivals }) {
  if (users !== null && !(Number.isInteger(users) && users >= 0)) return "Enter users as a whole number, or a rate such as 20/s.";
  if (arrivals !== null && !(arrivals >= 0)) return "Enter the arrival rate as a number, such as 20/s.";
  return null;
}

function rampError({ spawnRate, rampS }) {
  if (spawnRate !== null && !(spawnRate > 0)) return "Enter the spawn rate as a number above 0, such as 5/s.";
  return rampS === null ? "Enter the ramp in whole seconds, such as 30s, or a rate such as 5/s." : null;
}

/** The planned users (or iterations per second) of stages as the steps of a load profile. */
export function stagesProfile(stages) {
  const steps = [];
  let at = 0;
  let before = 0;
  for (const { users, arrivals, spawnRate, rampS, durationS } of stages) {
    const target = users ?? arrivals;
    if (target !== null) {
      const over = spawnRate === null ? rampS : Math.abs(target - before) / spawnRate;
      steps.push({ at_us: at * 1e6, users: target, over_us: over * 1e6 });
      // A ramp that is longer than its stage is taken over from where it is then.
      before += over > durationS ? ((target - before) * durationS) / over : target - before;
    }
    at += durationS;
  }
  return { steps, ends_at_us: at * 1e6 };
}
