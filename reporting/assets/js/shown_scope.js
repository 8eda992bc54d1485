// Which part of the run the page shows: chosen by links, the bar and the charts, kept in the address, and asked for again while
// it changes.

import { ScopedResults } from "./scoped_results.js";
import { WHOLE, changed, formatScope, isOpen, isSame, isWhole, parseScope } from "./scope.js";
import { source } from "./source.js";

/** Least time between two requests for the same part. */
const REFRESH_MS = 2_000;
/** An answer that takes longer is announced. */
const BUSY_MS = 250;
const LINKS = "a[data-scope], a[data-scope-endpoint], a[data-scope-agent]";
/** Where Escape means something else. */
const TAKES_ESCAPE = "input, select, textarea, .full";
const OPEN = "details.confirm[open], .console-frame.full";

export class ShownScope {
  #results;
  #whole;
  #timer = 0;
  #isStale = false;
  #generation;

  /** `show(scope, answer)`: shows a part; the answer is null for the whole run, which comes with events. `fail(message)`,
   * `busy(isBusy)`. `elapsed()`: how long the run has been going, in seconds; Infinity when it is over. */
  constructor(id, { show, fail, busy, elapsed }) {
    this.#results = new ScopedResults(id);
    this.#whole = new ScopedResults(id);
    this.handlers = { show, fail, busy, elapsed };
    this.scope = parseScope(source().query());
    addEventListener("popstate", () => this.#load(parseScope(source().query(formatScope(this.scope))), false));
    document.addEventListener("click", (event) => this.#click(event));
    for (const name of ["pointerover", "focusin"]) document.addEventListener(name, ({ target }) => this.#address(target));
    document.addEventListener("keydown", (event) => this.#key(event), { capture: true });
  }

  get isWhole() {
    return isWhole(this.scope);
  }

  /** Shows this part from now on, if the run has it; else says why not. */
  choose(asked) {
    const scope = source().fitted(asked);
    this.handlers.fail("");
    if (isSame(scope, this.scope)) {
      this.#results.cancel();
      return this.handlers.show(this.scope, undefined);
    }
    return this.#load(scope, true);
  }

  change(change) {
    return this.choose(changed(this.scope, change));
  }

  /** Asks for what the address says when the page was opened. */
  begin() {
    return this.#load(this.scope, false);
  }

  /** What there is of the whole run, beside what is shown; nothing when it cannot be had. */
  async askForWhole() {
    const answer = await this.#whole.ask(WHOLE);
    return answer?.error ? null : answer;
  }

  /** Something about the run changed, by an event of this number. */
  changed(generation) {
    if (this.isWhole || !isOpen(this.scope, this.handlers.elapsed())) return;
    this.#isStale = true;
    this.#generation = generation;
    this.#refreshSoon();
  }

  /** The run is over: its last results are in. */
  ended() {
    if (this.isWhole) return;
    this.#isStale = true;
    this.#generation = undefined;
    this.#refreshSoon();
  }

  #refreshSoon() {
    if (this.#timer || this.#results.isAsking) return;
    const wait = this.#results.doneAt + REFRESH_MS - performance.now();
    this.#timer = setTimeout(() => this.#refresh(), Math.max(0, wait));
  }

  async #refresh() {
    this.#timer = 0;
    if (!this.#isStale || this.isWhole || this.#results.isAsking) return;
    this.#isStale = false;
    const scope = this.scope;
    const answer = await this.#results.ask(scope, this.#generation);
    // When the coordinator is away the page says so, and there is a change when it is back.
    if (answer && !answer.error && isSame(scope, this.scope)) this.handlers.show(scope, answer);
    if (this.#isStale) this.#refreshSoon();
  }

  async #load(scope, isNew) {
    if (isWhole(scope)) {
      this.#results.cancel();
      return this.#show(WHOLE, null, isNew);
    }
    const busy = setTimeout(() => this.handlers.busy(true), BUSY_MS);
    this.#isStale = false;
    const answer = await this.#results.ask(scope);
    clearTimeout(busy);
    if (answer === null) return;
    this.handlers.busy(false);
    if (!answer.error) return this.#show(scope, answer, isNew);
    this.handlers.fail(answer.error);
    if (!isNew) history.replaceState(null, "", this.#url(this.scope));
  }

  #show(scope, answer, isNew) {
    this.handlers.busy(false);
    this.scope = scope;
    if (isNew) history.pushState(null, "", this.#url(scope));
    this.handlers.show(scope, answer);
    if (this.#isStale) this.#refreshSoon();
  }

  #url(scope) {
    return source().addressOf(formatScope(scope));
  }

  /** The part that a link leads to. */
  #target(link) {
    const { scope } = link.dataset;
    if (scope === "*") return WHOLE;
    if (scope !== undefined) {
      const change = Object.fromEntries(new URLSearchParams(scope));
      for (const name of ["from", "to"]) if (change[name]) change[name] = Number(change[name]);
      return changed(this.scope, change);
    }
    const isEndpoint = link.dataset.scopeEndpoint !== undefined;
    const name = isEndpoint ? "endpoint" : "agent";
    const value = isEndpoint ? endpointOf(link) : link.textContent;
    // What is chosen already is left by choosing it again.
    return changed(this.scope, { [name]: this.scope[name] === value ? undefined : value });
  }

  #click(event) {
    const link = event.target.closest?.(LINKS);
    if (!link || event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    this.choose(this.#target(link));
  }

  /** A link may be opened elsewhere, too: its address follows what is shown. */
  #address(target) {
    const link = target.closest?.(LINKS);
    if (link) link.href = this.#url(this.#target(link));
  }

  #key(event) {
    if (event.key !== "Escape" || event.defaultPrevented || this.isWhole) return;
    if (event.target.closest?.(TAKES_ESCAPE) || document.querySelector(OPEN) || document.fullscreenElement) return;
    this.choose(WHOLE);
  }
}

/** An endpoint as addresses have it. */
function endpointOf(link) {
  const { endpointMethod, endpointName } = link.closest("[data-endpoint-name]").dataset;
  return `${endpointMethod} ${endpointName}`.trimStart();
}
