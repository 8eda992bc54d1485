// Ticking runs of the list to compare them. What is ticked stays while the list is renewed and on its other pages, for as long as
// the browser's tab is open.

import { h, part, setText } from "./dom.js";

const KEY = "greylag-compare";
const LEAST = 2;
const MOST = 5;

export class CompareChoice {
  #chosen = new Set(remembered());

  constructor() {
    document.addEventListener("change", ({ target }) => {
      if (!target.matches('.run-tick input[name="run"]')) return;
      if (target.checked) this.#chosen.add(target.value);
      else this.#chosen.delete(target.value);
      this.#changed();
    });
    part("compare-clear")?.addEventListener("click", () => {
      this.#chosen.clear();
      this.#changed();
      this.#boxes()[0]?.focus({ preventScroll: true });
    });
    // Those on other pages of the list have no box here.
    part("compare-form")?.addEventListener("submit", () => this.#name());
    // Back from the comparison, the page is as it was, and so are the fields that were added.
    addEventListener("pageshow", () => this.show());
    this.show();
  }

  #boxes() {
    return [...document.querySelectorAll('.run-tick input[name="run"]')];
  }

  #changed() {
    try {
      sessionStorage.setItem(KEY, JSON.stringify([...this.#chosen]));
    } catch {
      // Without storage the choice lasts as long as the page.
    }
    this.show();
  }

  /** Puts what is chosen into the boxes of the list as it is now. */
  show() {
    const form = part("compare-form");
    if (!form) return;
    for (const field of form.querySelectorAll('input[type="hidden"]')) field.remove();
    const { size } = this.#chosen;
    for (const box of this.#boxes()) {
      box.checked = this.#chosen.has(box.value);
      // Beyond five the others cannot be ticked.
      box.disabled = size >= MOST && !box.checked;
    }
    const button = form.querySelector("button:not([type])");
    button.disabled = size < LEAST;
    button.classList.toggle("primary", size >= LEAST);
    button.classList.toggle("quiet", size < LEAST);
    const words = { 0: "", 1: "1 run ticked; tick another", [MOST]: `${MOST} runs ticked, which is the most` };
    setText(part("compare-chosen"), words[size] ?? `${size} runs ticked`);
    part("compare-clear").hidden = size === 0;
  }

  #name() {
    const here = new Set(this.#boxes().map((box) => box.value));
    const others = [...this.#chosen].filter((id) => !here.has(id));
    part("compare-form").append(...others.map((id) => h("input", { type: "hidden", name: "run", value: id })));
  }
}

function remembered() {
  try {
    return JSON.parse(sessionStorage.getItem(KEY)) ?? [];
  } catch {
    return [];
  }
}
