// The log in a page that is a file: searched as src/store/log_search does. Pure: no DOM here.

import { count } from "./format.js";

/** Lines in one answer when no number is asked for. */
const DEFAULT_LINES = 500;
/** Most places in one line that are marked. */
const MAX_PLACES = 50;
const LEVELS = ["warning", "error"];

/** Lines of a log as `GET /api/v1/runs/{id}/log/lines` answers them: {lines, total, dropped, more, after}. `rows`: all lines, in order; `query` as
 * in the address. Run time zero is `startedUs`, null before there is one. Throws where a pattern is not valid. */
export function logPage(rows, query, { startedUs, dropped }) {
  const takes = filter(query, startedUs);
  const at = query.get("at") ? positionAt(rows, Number(query.get("at")), startedUs) : null;
  const after = at ?? Number(query.get("after") ?? 0);
  const before = query.get("before") ? Number(query.get("before")) : Infinity;
  const limit = Number(query.get("limit") ?? DEFAULT_LINES);
  const isFirst = query.get("order") === "first";
  const found = [];
  let more;
  const inRange = withGaps(rows).filter(({ seq }) => seq > after && seq < before);
  for (const row of isFirst ? inRange : inRange.reverse()) {
    if (found.length >= limit) {
      more = isFirst ? row.seq - 1 : row.seq + 1;
      break;
    }
    const line = takes(row);
    if (line) found.push(line);
  }
  if (!isFirst) found.reverse();
  const total = rows.at(-1)?.seq ?? 0;
  return { lines: found, dropped, total, ...(at === null ? {} : { after: at }), ...(more === undefined ? {} : { more }) };
}

/** Lines with one more in each place of which the file has none: that says how many there were. */
function withGaps(rows) {
  return rows.flatMap((row, index) => {
    const seq = (rows[index - 1]?.seq ?? 0) + 1;
    const missing = row.seq - seq;
    if (missing === 0) return [row];
    const text = missing === 1 ? "1 line is not in this file." : `${count(missing)} lines are not in this file.`;
    return [{ seq, at_us: row.at_us, source: "", text, isGap: true }, row];
  });
}

/** The position before the first line of a moment of run time. */
function positionAt(rows, second, startedUs) {
  const from = (startedUs ?? 0) + second * 1e6;
  const first = rows.find(({ at_us: atUs }) => atUs >= from);
  return first ? first.seq - 1 : (rows.at(-1)?.seq ?? 0);
}

/** Gives each line that is wanted, with the places in it that were found. */
function filter(query, startedUs) {
  const pattern = patternOf(query.get("q") ?? "", query.get("regex") === "true");
  const level = LEVELS.indexOf(query.get("level"));
  const source = query.get("source") ?? "";
  const edge = (name, missing) => (query.get(name) ? (startedUs ?? 0) + Number(query.get(name)) * 1e6 : missing);
  const [fromUs, toUs] = [edge("from", -Infinity), edge("to", Infinity)];
  return (row) => {
    if (row.at_us < fromUs || row.at_us >= toUs) return null;
    // Which of the lines that are not here are asked for is not known.
    if (row.isGap) return pattern || source || level >= 0 ? null : row;
    if (level >= 0 && LEVELS.indexOf(row.level) < level) return null;
    if (source && row.source !== source && !row.source.startsWith(`${source}/`)) return null;
    if (!pattern) return row;
    const matches = placesIn(row.text, pattern);
    return matches.length > 0 || isIn(row.text, pattern) || isIn(row.source, pattern) ? { ...row, matches } : null;
  };
}

/** What is searched for: a text in upper or lower case, or a regular expression. */
function patternOf(text, isRegex) {
  if (!text) return null;
  const ignoresCase = text.startsWith("(?i)");
  try {
    if (isRegex) return new RegExp(ignoresCase ? text.slice(4) : text, ignoresCase ? "giu" : "gu");
    return new RegExp(text.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&"), "giu");
  } catch (error) {
    throw new Error(`\`${text}\` is not a valid regular expression: ${error.message.split(": ").at(-1)}`);
  }
}

function isIn(text, pattern) {
  pattern.lastIndex = 0;
  return pattern.test(text);
}

/** Where it stands, as [start, end]; empty places are none. */
function placesIn(text, pattern) {
  const places = [];
  for (const { index, 0: found } of text.matchAll(pattern)) {
    if (found === "") continue;
    places.push([index, index + found.length]);
    if (places.length === MAX_PLACES) break;
  }
  return places;
}
