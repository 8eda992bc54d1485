// The bar that says which part of the run is shown, and takes another: fields, phases, chips.

import { clock, count } from "./format.js";
import { h, part, setAttribute, setMessage, setText } from "./dom.js";
import { formatScope, isWhole, phaseOf, readWindow, windowOf, windowText } from "./scope.js";
import { source } from "./source.js";

const LABELS = { "ramp-up": "Ramp-up", steady: "Steady", "ramp-down": "Ramp-down" };
/** What is not a window, and how its chip begins. */
const CHIPS = { endpoint: "", agent: "agent ", outcome: "only ", saturated: "saturated seconds: " };
const COPIED_MS = 2_000;

export class ScopeBar {
  #shown = "";
  #end = 0;
  #scope = {};

  /** `change(members)`: shows another part. `end()`: how long the run has been going, in whole seconds. */
  constructor({ change, end }) {
    this.bar = part("scope");
    this.form = part("scope-form");
    this.error = part("scope-error");
    this.end = end;
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      const { from, to } = this.form.elements;
      const window = readWindow(from.value, to.value, this.end());
      if (window.error) this.fail(window.error, this.form.elements[window.field]);
      else change(window);
    });
    part("scope-outcomes").hidden = !source().narrows("outcome");
    const copy = part("scope-copy");
    // The address of a file means nothing to others.
    copy?.addEventListener("click", () => this.#copy(copy));
  }

  /** Shows which part is shown, of a run with these phases. */
  show(scope, phases) {
    this.#end = this.end();
    this.#scope = scope;
    setText(part("scope-window"), windowText(scope, this.#end));
    const said = JSON.stringify([scope, phases]);
    if (said === this.#shown) return;
    this.#shown = said;
    setAttribute(this.bar, "data-on", !isWhole(scope));
    setAttribute(this.bar, "data-window", windowOf(scope) !== null);
    part("scope-leave").hidden = isWhole(scope);
    this.#showPhases(scope, phases);
    for (const link of part("scope-outcomes").children) setCurrent(link, link.dataset.scope === `outcome=${scope.outcome ?? ""}`);
    this.#showChips(scope);
    this.#showFields(scope);
    this.#showLinks(scope);
  }

  /** Says what has to be known about the numbers. */
  remark(text) {
    const remark = part("scope-remark");
    setMessage(remark, text ?? "");
    remark.hidden = !text;
  }

  /** Says aloud what is shown. */
  say(scope, requests) {
    const chips = Object.keys(CHIPS).filter((name) => scope[name]);
    const words = [windowText(scope, this.#end), ...chips.map((name) => CHIPS[name] + scope[name])];
    setText(part("scope-said"), `Showing ${words.join(", ")}: ${count(requests)} requests`);
  }

  /** What is about to be selected. */
  preview(window) {
    setText(part("scope-window"), windowText(window ?? this.#scope, this.#end));
  }

  busy(isBusy) {
    part("scope-busy").hidden = !isBusy;
  }

  /** Says what is wrong with what was asked for, and in which field; "" when nothing is. */
  fail(message, field) {
    setMessage(this.error, message);
    this.error.hidden = message === "";
    for (const input of this.form.querySelectorAll("input:not([type])")) input.removeAttribute("aria-invalid");
    field?.setAttribute("aria-invalid", "true");
    field?.focus();
  }

  #showPhases(scope, phases) {
    const holder = part("scope-phases");
    const current = phaseOf(scope, phases);
    const [whole, ...others] = holder.children;
    phases.forEach((phase, index) => {
      const link = others[index] ?? holder.appendChild(h("a", { href: "?" }));
      setText(link, LABELS[phase.name]);
      setAttribute(link, "data-scope", `from=${phase.from}&to=${phase.to ?? ""}`);
      setCurrent(link, phase.name === current);
    });
    for (const link of others.slice(phases.length)) link.remove();
    setCurrent(whole, current === "whole");
  }

  #showChips(scope) {
    const list = part("scope-chips");
    const hadFocus = list.contains(document.activeElement);
    const chips = Object.entries(CHIPS).filter(([name]) => scope[name]);
    list.replaceChildren(
      ...chips.map(([name, kind]) =>
        h(
          "li",
          { class: "scope-chip" },
          h("span", { class: "clip", title: scope[name] }, kind + scope[name]),
          h("a", { href: "?", "data-scope": `${name}=`, "aria-label": `Remove ${kind}${scope[name]}` }, "×"),
        ),
      ),
    );
    if (hadFocus) (list.querySelector("a") ?? part("scope-phases").firstElementChild).focus();
    for (const input of this.form.querySelectorAll("[type=hidden]")) input.remove();
  }

  #showFields(scope) {
    const window = windowOf(scope);
    const { from, to } = this.form.elements;
    if (document.activeElement !== from) from.value = window?.from ? clock(window.from) : "";
    if (document.activeElement !== to) to.value = window?.to ? clock(window.to) : "";
    setAttribute(to, "placeholder", "end");
  }

  /** What is downloaded is what is shown, and what is chosen is marked. */
  #showLinks(scope) {
    const query = formatScope(scope);
    for (const link of document.querySelectorAll("a[data-export]")) {
      const [path] = link.getAttribute("href").split("?");
      link.setAttribute("href", query ? `${path}?${query}` : path);
    }
    for (const link of document.querySelectorAll("a[data-scope-agent]"))
      setCurrent(link, link.textContent === scope.agent);
  }

  async #copy(button) {
    try {
      await navigator.clipboard.writeText(location.href);
    } catch {
      // Only pages over HTTPS or from this machine may write there.
      return this.fail(`The link could not be copied; it is the address of this page: ${location.href}`);
    }
    button.dataset.done = "true";
    setText(part("scope-said"), "Link copied");
    setTimeout(() => delete button.dataset.done, COPIED_MS);
  }
}

function setCurrent(link, isCurrent) {
  if (isCurrent) setAttribute(link, "aria-current", "true");
  else link.removeAttribute("aria-current");
}
