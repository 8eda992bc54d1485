// The trace of a request: a link to where traces are shown, if the coordinator knows that, or the id as text.

import { h } from "./dom.js";

/** What is shown of a trace id (32 hexadecimal digits). */
export function traceOf(id) {
  const url = document.querySelector("[data-trace-url]")?.dataset.traceUrl;
  if (!url) return id;
  return h("a", { href: url.replaceAll("{trace_id}", id), target: "_blank", rel: "noopener noreferrer" }, id);
}
