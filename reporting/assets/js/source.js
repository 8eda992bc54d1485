// Where the run page has its data from: the coordinator that shows it, or what takes its place in a page that is a file
// (file_source.js). Whoever asks does not know which.

import { address } from "./address.js";

/** Asks the coordinator's API for what is below a run. */
const coordinator = {
  /** Whether the run may go on, and events say how. */
  isLive: true,

  /** {ok, body}, of JSON; throws when the coordinator is away. Pages that ask because of the same event, by its number, are
   * answered together. */
  async json(id, path, { seen, signal } = {}) {
    const answer = await ask(id, path, seen, signal);
    const body = answer.ok ? await answer.json() : await answer.json().catch(() => ({ error: unexpected(answer) }));
    return { ok: answer.ok, body };
  },

  /** The same of a text. */
  async text(id, path, { seen } = {}) {
    const answer = await ask(id, path, seen);
    return { ok: answer.ok, body: await answer.text() };
  },

  /** Whether what is shown can be narrowed to a "window", an "endpoint", an "outcome", an "agent". */
  narrows: () => true,

  /** What the page came with, of a run that is over: {view, delta, over}; null of one that goes on. */
  initial() {
    const initial = document.getElementById("initial");
    return initial && JSON.parse(initial.textContent);
  },

  /** The scope that is shown when this one is asked for. */
  fitted: (scope) => scope,

  /** Which part of the run the page's address says, as a query; where it does not say that, the one that is `shown`. */
  query: () => location.search,

  /** The address of the page that says another part, by its query without a question mark. */
  addressOf: (query) => location.pathname + (query ? `?${query}` : "") + location.hash,
};

function ask(id, path, seen, signal) {
  const headers = seen === undefined ? {} : { "x-greylag-seen": seen };
  return fetch(address(`/api/v1/runs/${encodeURIComponent(id)}${path}`), { headers, signal });
}

function unexpected({ status }) {
  return `The coordinator answered ${status}.`;
}

let current = coordinator;

/** What is asked. */
export const source = () => current;

/** Asks this from now on: what has the members of `coordinator`. */
export function useSource(other) {
  current = other;
}
