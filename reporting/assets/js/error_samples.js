// The samples of an error: failed requests with what came back. One error's at a time, below the table of errors.

import { endpointOf } from "./dot_choice.js";
import { h, part, setText } from "./dom.js";
import { count } from "./format.js";
import { isWhole, parseScope } from "./scope.js";
import { source } from "./source.js";
import { traceOf } from "./traces.js";

/** Seconds of the log that are shown before the moment of a request. */
const LOG_BEFORE_S = 2;

/** What an error is known by. */
export function keyOf({ method, name, error, place }) {
  return [method, name, error, place ?? ""].join("\n");
}

export class ErrorSamples {
  #open = null;
  /** Number of the error that was asked for last. */
  #asked = 0;

  /** `changed()`: another error's samples are shown, or none. */
  constructor(changed) {
    this.changed = changed;
    this.panel = part("error-samples");
    this.id = document.querySelector("[data-run]").dataset.run;
    this.panel.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      event.preventDefault();
      event.stopPropagation();
      this.close();
    });
  }

  isOf(error) {
    return this.#open !== null && this.#open.key === keyOf(error);
  }

  /** Shows the samples of an error, or closes them if they are shown. `button`: where the focus goes back to. */
  async toggle(error, button) {
    if (this.isOf(error)) return this.close();
    this.#open = { key: keyOf(error), button };
    this.changed();
    if (!(await this.#show(error))) return;
    this.panel.hidden = false;
    this.panel.focus();
    this.panel.scrollIntoView({ block: "nearest" });
  }

  /** Shows what has come since of the error that is open. */
  follow(errors) {
    const error = errors.find((one) => this.isOf(one));
    if (error && error.samples !== this.#open.samples) this.#show(error);
  }

  /** False when something else was asked for meanwhile. */
  async #show(error) {
    this.#open.samples = error.samples;
    const number = ++this.#asked;
    const { samples, of, error: problem } = await this.#ask(error);
    if (number !== this.#asked) return false;
    const close = h("button", { type: "button", class: "icon-button", "aria-label": "Close", title: "Close" }, "×");
    close.addEventListener("click", () => this.close());
    const title = h("h4", {}, "Samples ");
    title.append(h("small", {}, `${endpointOf(error)}: ${error.error}`));
    if (!isWhole(parseScope(source().query()))) title.append(h("small", {}, " (of the whole run)"));
    const shown = samples?.map((sample, index) => sampleOf(sample, index, of)) ?? [];
    const missing = problem ?? (shown.length < of || shown.length === 0 ? leftOut(shown.length, of) : null);
    if (missing) shown.push(h("p", {}, missing));
    this.panel.replaceChildren(h("header", {}, title, close), ...shown);
    return true;
  }

  /** An answer of the run's API, or {error}; of the whole run, because there are few samples. */
  async #ask({ place, ...error }) {
    const text = place ? `${error.error} (${place})` : error.error;
    const query = new URLSearchParams({ endpoint: endpointOf(error), error: text });
    try {
      return (await source().json(this.id, `/errors/samples?${query}`)).body;
    } catch {
      return { error: "The coordinator does not answer." };
    }
  }

  close() {
    if (!this.#open) return;
    const { button } = this.#open;
    this.#open = null;
    this.#asked += 1;
    this.panel.hidden = true;
    this.panel.replaceChildren();
    this.changed();
    button.focus({ preventScroll: true });
  }
}

/** What is said where not all samples that are kept are here: a file may have no room for them. */
function leftOut(here, of) {
  if (of === 0) return "No samples of this error are kept.";
  const where = source().isLive ? "shown" : "in this file";
  if (here === 0) return `The samples of this error are not ${where}.`;
  return of - here === 1 ? `1 more sample is not ${where}.` : `${count(of - here)} more samples are not ${where}.`;
}

/** A sample as an article: what was asked, what came back, and where to go on. */
function sampleOf(sample, index, of) {
  const { at_s: at, status, url, agent, worker } = sample;
  const moment = `${at.toFixed(3)} s${sample.at ? ` (${sample.at.replace("T", " ").replace("Z", " UTC")})` : ""}`;
  const fact = (name, text) => h("div", {}, h("dt", {}, name), h("dd", {}, text));
  const where = [agent, worker === null ? null : `worker ${worker}`].filter((text) => text !== null).join(", ");
  const facts = [fact("Status", status === null ? "No response" : String(status)), fact("Ended", moment)];
  if (where) facts.push(fact("Agent", where));
  if (url) facts.push(fact("Address", `${sample.method} ${url}`));
  if (sample.trace_id) facts.push(fact("Trace", traceOf(sample.trace_id)));
  const log = h("a", { class: "button quiet small", href: `#t=${Math.max(0, Math.floor(at) - LOG_BEFORE_S)}` }, "Log around this moment");
  const article = h("article", { "aria-label": `Sample ${index + 1} of ${of}` }, h("dl", {}, ...facts));
  if (sample.headers.length > 0) article.append(...headersOf(sample));
  if (status !== null) article.append(...bodyOf(sample, index));
  article.append(h("p", { class: "sample-ways" }, log));
  return article;
}

function headersOf({ headers, headers_left_out: leftOut }) {
  const lines = headers.map(({ name, value }) => `${name}: ${value}`);
  if (leftOut > 0) lines.push(`… ${count(leftOut)} more`);
  return [h("h5", {}, "Response headers"), scrolled("Response headers", lines.join("\n"))];
}

function bodyOf({ body, body_bytes: bytes, body_is_cut: isCut }) {
  const title = h("h5", {}, "Response body ");
  const length = `${count(bytes)} ${bytes === 1 ? "byte" : "bytes"}`;
  const size = h("small", {}, isCut ? `first 2 kB of ${length}` : length);
  title.append(size);
  if (body === null) setText(size, bytes > 0 ? `not kept, ${length}` : "not kept");
  return body ? [title, scrolled("Response body", body)] : [title];
}

/** A text as it is, which can be scrolled with the keyboard. */
function scrolled(label, text) {
  return h("pre", { tabindex: "0", role: "group", "aria-label": label }, text);
}
