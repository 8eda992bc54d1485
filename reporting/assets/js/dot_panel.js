// The request behind a dot of the scatter plot: chosen by a click or by keys, with all that is known of it, and ways on.

import { TRACE, afterKey, described, dotQuery, endpointOf, facts, logQuery, requestOf } from "./dot_choice.js";
import { h, part, setText } from "./dom.js";
import { timeOfDay } from "./format.js";
import { source } from "./source.js";
import { traceOf } from "./traces.js";

export class DotPanel {
  #chosen = null;
  /** Number of the request that was asked for last. */
  #asked = 0;

  /** Of the run `id`. `dots()`: all dots in order of time; `place(dot)`: where one is drawn in `canvas`. */
  constructor({ id, canvas, dots, place }) {
    Object.assign(this, { id, canvas, dots, place });
    this.panel = part("dot-panel");
    this.said = part("dot-said");
    this.ring = h("span", { class: "dot-ring", hidden: true });
    canvas.append(this.ring);
    canvas.addEventListener("keydown", (event) => this.#key(event));
    canvas.addEventListener("focusout", () => this.panel.hidden && this.#mark(null));
    const escape = (event) => {
      if (event.key !== "Escape" || this.panel.hidden || event.defaultPrevented) return;
      event.preventDefault();
      this.close();
    };
    // Before the page takes Escape for leaving the part that is shown.
    addEventListener("keydown", escape, { capture: true });
  }

  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Enter" && this.#chosen) {
      event.preventDefault();
      return this.open(this.#chosen);
    }
    const dots = this.dots();
    const index = afterKey(dots, this.#chosen, event.key);
    if (index === null) return;
    event.preventDefault();
    this.#mark(dots[index]);
    setText(this.said, described(dots[index], index, dots.length));
  }

  /** The chart was drawn anew. */
  moved() {
    this.#mark(this.#chosen);
  }

  #mark(dot) {
    this.#chosen = dot;
    const at = dot && this.place(dot);
    this.ring.hidden = !at;
    if (!at) return;
    // Shares, so that it stays inside when the chart has another size before it is drawn anew.
    this.ring.style.left = `${(100 * at[0]) / this.canvas.clientWidth}%`;
    this.ring.style.top = `${(100 * at[1]) / this.canvas.clientHeight}%`;
  }

  /** Shows the request behind a dot. */
  async open(dot) {
    this.#mark(dot);
    const number = ++this.#asked;
    const { samples, error } = await this.#ask(`samples?${dotQuery(dot)}`);
    if (number !== this.#asked) return;
    const request = samples && requestOf(samples, dot);
    const rows = request ? facts(request).map(([name, text]) => h("div", {}, h("dt", {}, name), h("dd", {}, name === TRACE ? traceOf(text) : text))) : [];
    const close = h("button", { type: "button", class: "icon-button", "aria-label": "Close", title: "Close" }, "×");
    close.addEventListener("click", () => this.close());
    this.panel.replaceChildren(
      h("header", {}, h("h3", {}, "Request"), close),
      rows.length > 0
        ? h("dl", {}, ...rows)
        : h("p", {}, error ?? unknown()),
    );
    if (request) this.panel.append(this.#ways(request));
    this.panel.hidden = false;
    this.panel.focus();
  }

  #ways(request) {
    const only = (change, text) =>
      h("a", { class: "button quiet small", href: "?", "data-scope": new URLSearchParams(change).toString() }, text);
    const second = Math.floor(request.at_s);
    const log = h("button", { type: "button", class: "button quiet small" }, "Log around this moment");
    log.addEventListener("click", () => this.#showLog(request.at_s, log));
    const window = { from: Math.max(0, second - 2), to: second + 3 };
    const ways = [
      ["endpoint", true, only({ endpoint: endpointOf(request) }, `Only ${endpointOf(request)}`)],
      ["agent", request.agent, only({ agent: request.agent }, `Only agent ${request.agent}`)],
      ["outcome", request.failed, only({ outcome: "failed" }, "Only failures")],
      ["window", true, only(window, "These seconds")],
    ];
    const offered = ways.filter(([kind, isThere]) => isThere && source().narrows(kind));
    return h("p", { class: "dot-ways" }, ...offered.map(([, , way]) => way), log);
  }

  async #showLog(at, button) {
    button.disabled = true;
    const number = this.#asked;
    const { lines, error } = await this.#ask(`log/lines?${logQuery(at)}`);
    if (number !== this.#asked) return;
    const line = ({ at_us, source, text }) =>
      h("div", { class: "line" }, h("time", {}, timeOfDay(at_us)), h("span", { class: "source" }, source), h("span", { class: "text" }, text));
    const shown = lines?.length > 0 ? lines.map(line) : [h("p", {}, error ?? "There are no lines of these seconds.")];
    const list = h("div", { class: "dot-log", role: "region", tabindex: "0", "aria-label": "Log around this moment" }, ...shown);
    this.panel.append(list);
    list.focus();
  }

  /** An answer of the run's API, or {error}. */
  async #ask(path) {
    try {
      return (await source().json(this.id, `/${path}`)).body;
    } catch {
      return { error: "The coordinator does not answer." };
    }
  }

  close() {
    this.#asked += 1;
    this.panel.hidden = true;
    this.panel.replaceChildren();
    this.canvas.focus({ preventScroll: true });
  }
}

/** What is said where a dot has no request. */
function unknown() {
  return source().isLive
    ? "This request is not known any more: the run keeps others of this second."
    : "The details of this request are not in this file.";
}
