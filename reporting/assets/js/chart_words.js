// What stands in a chart in words, and what a screen reader says of it. Pure: no DOM here.

import { clock } from "./format.js";

const MAX_LEGEND_LETTERS = 32;
/** Labels of marks stand along a chart's height, of which its axis and legend take some. */
const MAX_MARK_LETTERS = 26;
const MARK_LETTER_PX = 6.5;
const BESIDE_MARKS_PX = 66;
/** Marks that a screen reader is given one by one. */
const MAX_MARKS_SAID = 10;
/** How the legend names the failures of an endpoint. */
export const FAILURE = " · Failure";

/** How many letters the label of a mark may have in a chart of this height in pixels. */
export function markLetters(height) {
  const room = Math.floor((height - BESIDE_MARKS_PX) / MARK_LETTER_PX);
  return Math.min(Math.max(room, 1), MAX_MARK_LETTERS);
}

/** What a screen reader says of the marks. */
export function described(marks) {
  if (marks.length === 0) return "";
  const named = marks.slice(0, MAX_MARKS_SAID).map(({ second, to, label }) => {
    return to === undefined ? `${label} at ${clock(second)}` : `${label} from ${clock(second)} to ${clock(to)}`;
  });
  const more = marks.length > named.length ? ` and ${marks.length - named.length} more` : "";
  return ` Marked: ${named.join(", ")}${more}.`;
}

/** What it says of limits. */
export function limited(limits) {
  return limits.length === 0 ? "" : ` Limits: ${limits.map(({ label }) => label).join(", ")}.`;
}

/** Names come from the target and may be of any length; the whole one is in the tooltip and in the table. */
export function clipped(name, most = MAX_LEGEND_LETTERS) {
  const outcome = name.endsWith(FAILURE) ? FAILURE : "";
  const letters = [...name.slice(0, name.length - outcome.length)];
  return letters.length > most ? `${letters.slice(0, most - 1).join("")}…${outcome}` : name;
}
