// Which part of a run the page shows: seconds of run time, an endpoint, an agent and so on, and how that reads in an
// address. Pure: no DOM here. What a scope does not have narrows nothing.

import { clock } from "./format.js";

/** The members of a scope in the order in which an address has them. Seconds are numbers, the rest texts. */
const SECONDS = ["from", "to"];
const NAMES = ["endpoint", "agent", "outcome", "saturated"];

/** The whole run. */
export const WHOLE = Object.freeze({});

/** The scope that an address's query asks for. What is not a whole number of seconds is left as it was written, for the
 * server to say so. */
export function parseScope(search) {
  const query = new URLSearchParams(search);
  const scope = {};
  for (const name of SECONDS) {
    const text = query.get(name)?.trim();
    if (text) scope[name] = /^\d+$/.test(text) ? Number(text) : text;
  }
  for (const name of NAMES) {
    const text = query.get(name);
    if (text) scope[name] = text;
  }
  return normal(scope);
}

/** The query of a scope, without a question mark; empty for the whole run. */
export function formatScope(scope) {
  const query = new URLSearchParams();
  for (const name of [...SECONDS, ...NAMES]) if (has(scope, name)) query.set(name, scope[name]);
  return query.toString();
}

/** The scope with these members changed; undefined, null and "" take a member away. */
export function changed(scope, change) {
  return normal({ ...scope, ...change });
}

/** A window that begins at zero begins where the run does. */
function normal(scope) {
  const known = [...SECONDS, ...NAMES].filter((name) => has(scope, name) && !(name === "from" && scope.from === 0));
  return Object.fromEntries(known.map((name) => [name, scope[name]]));
}

function has(scope, name) {
  return scope[name] !== undefined && scope[name] !== null && scope[name] !== "";
}

export function isWhole(scope) {
  return formatScope(scope) === "";
}

export function isSame(one, other) {
  return formatScope(one) === formatScope(other);
}

/** The seconds of a scope as {from, to}; null when it has all. `to` is null when it goes on with the run. */
export function windowOf({ from, to }) {
  return from === undefined && to === undefined ? null : { from: from ?? 0, to: to ?? null };
}

/** Of the run's `phases` ({name, from, to}) the one whose window a scope has; "whole" for all seconds. */
export function phaseOf(scope, phases) {
  const window = windowOf(scope);
  if (!window) return "whole";
  return phases.find(({ from, to }) => from === window.from && (to ?? null) === window.to)?.name ?? null;
}

/** Whether numbers of this scope may still change when a run has been going for `elapsed` seconds: Infinity if it is over. */
export function isOpen({ to }, elapsed) {
  return elapsed < (to ?? Number.MAX_VALUE) + LATE_S;
}

/** Results that come later than this are seen with the next change that is looked at. */
const LATE_S = 15;

/** Seconds of run time from "65", "65s", "1:05", "1:01:05" or "1m5s"; null if it is none of these. */
export function readSecond(text) {
  const trimmed = text.trim().toLowerCase();
  const units = /^(?:(\d+)h)?\s*(?:(\d+)m)?\s*(?:(\d+)s)?$/.exec(trimmed);
  const colons = /^(?:(\d+):)?(?:(\d+):)?(\d+)$/.exec(trimmed);
  if (!trimmed || !(units || colons)) return null;
  let [hours, minutes, seconds] = (units ?? colons).slice(1).map((part) => Number(part ?? 0));
  // With one colon it is the first number that is there, and means minutes.
  if (!units && trimmed.split(":").length === 2) [hours, minutes] = [0, hours];
  const all = hours * 3600 + minutes * 60 + seconds;
  return Number.isSafeInteger(all) ? all : null;
}

/** The window that was entered as two texts, of a run that has `end` seconds so far: {from, to} for a scope, or {error, field}. An
 * empty text is the beginning or the end of the run. */
export function readWindow(fromText, toText, end) {
  const read = (text, missing) => (text.trim() === "" ? missing : readSecond(text));
  const from = read(fromText, 0);
  const to = read(toText, undefined);
  const example = "must be a time in the run, such as 65, 1:05 or 1m5s";
  if (from === null) return { error: `The start ${example}.`, field: "from" };
  if (to === null) return { error: `The end ${example}.`, field: "to" };
  if (to !== undefined && from >= to) return { error: "The start must be before the end.", field: "from" };
  if (from >= end && from > 0)
    return { error: end > 0 ? `The run has results up to ${clock(end)} only.` : "The run has no results yet.", field: "from" };
  return { from, to };
}

/** A window of whole seconds that holds everything between two moments within [0, end), at least a second long. */
export function spanned(one, other, end) {
  const last = Math.max(1, Math.ceil(end));
  const from = Math.min(Math.max(0, Math.floor(Math.min(one, other))), last - 1);
  const to = Math.max(from + 1, Math.min(Math.ceil(Math.max(one, other)), last));
  return { from, to };
}

/** The window with one of its ends, 0 or 1, at a whole second near `at`. */
export function moved([from, to], which, at, end) {
  const second = Math.round(at);
  return which === 0 ? [Math.min(Math.max(0, second), to - 1), to] : [from, Math.max(Math.min(end, second), from + 1)];
}

/** The window moved by some seconds, as far as the run goes. */
export function shifted([from, to], by, end) {
  const whole = Math.min(Math.max(Math.round(by), -from), end - to);
  return [from + whole, to + whole];
}

/** "1:05 to 1:40 of 5:00", or "the whole run, 5:00"; src/results/views/scope_view.rs has it in the same words. */
export function windowText(scope, end) {
  const window = windowOf(scope);
  if (!window) return end > 0 ? `the whole run, ${clock(end)}` : "the whole run";
  const to = window.to === null ? "the end" : clock(window.to);
  return `${clock(window.from)} to ${to} of ${clock(end)}`;
}
