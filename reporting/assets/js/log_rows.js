// The lines of the log as elements, those that are repeated folded into one.

import { h, setAttribute, setText } from "./dom.js";
import { count, timeOfDay } from "./format.js";

/** Characters of a line that never needs scrolling, on narrow screens neither. */
const LONG_LINE = 200;
/** A line is folded into one of the last few that says the same; several workers often say it in turn. */
const FOLD_INTO_LAST = 8;

export class LogRows {
  /** Of each line, in order, what it is shown in: {row, element, times, badge}. */
  #groups = [];

  /** Lines go into `list`, which `scroll` scrolls. */
  constructor(list, scroll) {
    this.list = list;
    this.scroll = scroll;
  }

  clear() {
    this.#groups = [];
    this.list.replaceChildren();
  }

  append(rows) {
    const recent = distinct(this.#groups.slice(-10 * FOLD_INTO_LAST)).slice(-FOLD_INTO_LAST);
    const groups = folded(rows, recent);
    const fresh = distinct(groups).filter(({ element }) => !element.isConnected);
    this.list.append(...fresh.map(({ element }) => element));
    this.#groups = [...this.#groups, ...groups];
  }

  /** What is looked at stays where it is. */
  prepend(rows) {
    const groups = folded(rows, []);
    this.#keepingPlace(() => this.list.prepend(...distinct(groups).map(({ element }) => element)));
    this.#groups = [...groups, ...this.#groups];
  }

  dropFirst(number) {
    this.#keepingPlace(() => drop(this.#groups.splice(0, number)));
  }

  dropLast(number) {
    drop(this.#groups.splice(-number, number));
  }

  #keepingPlace(change) {
    const below = this.scroll.scrollHeight - this.scroll.scrollTop;
    change();
    this.scroll.scrollTop = Math.max(0, this.scroll.scrollHeight - below);
  }
}

/** What each of these lines is shown in: one of `recent`, or of those before it, or something new. */
function folded(rows, recent) {
  const last = [...recent];
  return rows.map((row) => {
    const same = last.find(({ row: known }) => known.text === row.text && known.source === row.source);
    const group = same ?? newGroup(row);
    if (!same) {
      last.push(group);
      if (last.length > FOLD_INTO_LAST) last.shift();
    }
    group.times += 1;
    showTimes(group, row);
    return group;
  });
}

function drop(groups) {
  for (const group of groups) {
    group.times -= 1;
    if (group.times === 0) group.element.remove();
  }
  for (const group of distinct(groups)) if (group.times > 0) showTimes(group);
}

function distinct(groups) {
  return [...new Set(groups)];
}

function showTimes(group, last) {
  if (group.times < 2) {
    group.badge?.remove();
    group.badge = null;
    return;
  }
  if (!group.badge) {
    group.badge = h("span", { class: "times" });
    group.element.append(group.badge);
  }
  setText(group.badge, `×${count(group.times)}`);
  if (last) setAttribute(group.badge, "title", `The last at ${timeOfDay(last.at_us)}`);
}

function newGroup(row) {
  // What may have to be scrolled must be reached with the keyboard.
  const scrolls = row.text.length > LONG_LINE ? { tabindex: "0" } : {};
  const found = row.matches?.length > 0 ? marked(row.text, row.matches) : [row.text];
  const element = h(
    "div",
    { class: "line", "data-seq": row.seq, "data-level": row.level },
    h("time", { title: new Date(row.at_us / 1000).toISOString() }, timeOfDay(row.at_us)),
    // With the keyboard there is the field above. What a file says of its log is of no agent.
    row.source
      ? h("button", { type: "button", class: "source", tabindex: "-1", title: `Only lines of ${row.source}` }, row.source)
      : h("span", { class: "source" }),
    h("span", { class: "text", ...scrolls }, ...found),
  );
  return { row, element, times: 0, badge: null };
}

/** Where `needle` (lower case) stands in `text`, as [start, end]. Where lower case has another length than the text
 * (a few letters of a few languages), the places could not be trusted, so there are none. */
export function findAll(text, needle) {
  const lower = text.toLowerCase();
  const found = [];
  if (lower.length !== text.length) return lower.includes(needle) ? [[0, text.length]] : found;
  for (let at = lower.indexOf(needle); at >= 0; at = lower.indexOf(needle, at + needle.length))
    found.push([at, at + needle.length]);
  return found;
}

/** A text with these places marked, as nodes. */
export function marked(text, places) {
  const nodes = [];
  let from = 0;
  for (const [start, end] of places) {
    nodes.push(text.slice(from, start), h("mark", {}, text.slice(start, end)));
    from = end;
  }
  nodes.push(text.slice(from));
  return nodes;
}
