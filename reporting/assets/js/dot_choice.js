// Which dot of the scatter plot is chosen, and what the server is asked for and says of it. Pure: no DOM here.

import { clock, ms } from "./format.js";

/** How many dots a key goes along time. */
const STEPS = { ArrowLeft: -1, ArrowRight: 1, PageUp: -20, PageDown: 20, Home: -Infinity, End: Infinity };
/** Seconds of the log that are shown before and after the one in which a request ended. */
const LOG_BEFORE_S = 2;
const LOG_AFTER_S = 2;

/** Index of the dot that a key leads to from `chosen` (null: none yet), of dots in order of time; null for another key. */
export function afterKey(samples, chosen, key) {
  const step = STEPS[key];
  if (step === undefined || samples.length === 0) return null;
  const last = samples.length - 1;
  const at = chosen === null ? -1 : samples.indexOf(chosen);
  if (at < 0) return step < 0 && step > -Infinity ? last : step === Infinity ? last : 0;
  return Math.min(Math.max(at + step, 0), last);
}

/** The dot at these coordinates, which the chart has clamped to `least` ms; of twins one of this outcome. */
export function dotAt(samples, [at, time], least, failed) {
  const isThere = (sample) => sample.at_s === at && Math.max(sample.response_ms, least) === time;
  const found = samples.filter(isThere);
  return found.find((sample) => sample.failed === failed) ?? found[0] ?? null;
}

/** The query that asks for the request behind a dot. */
export function dotQuery(sample) {
  return new URLSearchParams({
    at_ms: Math.round(sample.at_s * 1e3),
    response_us: Math.round(sample.response_ms * 1e3),
    endpoint: endpointOf(sample),
  }).toString();
}

/** The query of the log around a moment. */
export function logQuery(at) {
  const second = Math.floor(at);
  const from = Math.max(0, second - LOG_BEFORE_S);
  return new URLSearchParams({ from, to: second + LOG_AFTER_S + 1, limit: 50 }).toString();
}

/** An endpoint as addresses have it. */
export function endpointOf({ method, name }) {
  return `${method} ${name}`.trimStart();
}

/** What is said of a chosen dot. */
export function described(sample, index, all) {
  const outcome = sample.failed ? "failure" : "success";
  return `${endpointOf(sample)}, ${ms(sample.response_ms)} ms at ${clock(sample.at_s)}, ${outcome}; ${index + 1} of ${all}`;
}

/** Of several requests that a dot may stand for the one of its outcome. */
export function requestOf(samples, dot) {
  return samples.find((sample) => sample.failed === dot.failed) ?? samples[0] ?? null;
}

const KINDS = {
  drawn: "drawn from all requests",
  failed: "kept in addition, as a failure",
  slow: "kept as the slowest of its endpoint",
};
const UNKNOWN = "not recorded";
/** Name of the trace id among what is known of a request. */
export const TRACE = "Trace";

/** What is known of a request, as [name, text] pairs. */
export function facts(request) {
  const exact = (value) => `${value.toLocaleString("en", { maximumFractionDigits: 3 })} ms`;
  const or = (value, text = String) => (value === null ? UNKNOWN : text(value));
  const rows = [
    ["Request", endpointOf(request)],
    ["Ended", `${request.at_s.toFixed(3)} s${request.at ? ` (${request.at.replace("T", " ").replace("Z", " UTC")})` : ""}`],
    ["Response time", exact(request.response_ms)],
    ["Time to first byte", or(request.first_byte_ms, exact)],
    ["Status", or(request.status, (status) => (status === 0 ? "no answer" : String(status)))],
    ["Outcome", request.failed ? "Failure" : "Success"],
    ["Agent", or(request.agent)],
    ["Worker", or(request.worker)],
    ["User", or(request.user)],
    ["Shown because", KINDS[request.kind] ?? request.kind],
  ];
  if (request.trace_id) rows.push([TRACE, request.trace_id]);
  if (request.failed) rows.splice(6, 0, ["Error", or(request.error)]);
  return rows;
}
