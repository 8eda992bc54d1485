// The columns of Endpoint Statistics: what each shows of a row, and what it is sorted by. Pure: no DOM here.

import { count, ms, percent, rate } from "./format.js";

/** Columns as {key, label, short, value(row, all), text(value)}. `all`: {requests, seconds} of the part of the run that is shown. Without
 * `text` a column is in the page as the server writes it. */
const WRITTEN = [
  { key: "name", label: "Endpoint", isFixed: true },
  { key: "requests", label: "Requests", isShown: true, value: (row) => row.requests },
  { key: "failures", label: "Fails", isShown: true, value: (row) => row.failures },
  { key: "latency", label: "Latency (ms)", isShown: true, value: (row) => row.p95_ms },
  { key: "intended", label: "p95 from intended start", isShown: true, value: (row) => row.intended?.p95_ms ?? -1 },
  { key: "avg_ms", label: "Avg (ms)", isShown: true, value: (row) => row.avg_ms },
  { key: "current_rps", label: "Current RPS", isShown: true, value: (row) => row.current_rps },
];

/** Milliseconds; less than none where it was not measured. */
function unlessUnknown(value) {
  return value < 0 ? "–" : ms(value);
}

/** All columns, with one for each of these percentiles ({key, title}). */
export function columnsOf(percentiles) {
  const number = (key, label, value, text) => ({ key, label, value, text });
  return [
    ...WRITTEN,
    number("error_rate", "Error rate", (row) => row.error_rate, percent),
    number("share", "Share", (row, { requests }) => (requests > 0 ? row.requests / requests : 0), percent),
    number("rps", "RPS", (row, { seconds }) => (seconds > 0 ? row.requests / seconds : 0), rate),
    number("current_failures_per_s", "Current Failures/s", (row) => row.current_failures_per_s, rate),
    ...percentiles.map(({ key, title }) =>
      number(key, `${title === "50%" ? "Median" : `${title}ile`} (ms)`, (row) => row[key], ms),
    ),
    number("first_byte", "First byte (ms)", (row) => row.first_byte?.avg_ms ?? -1, unlessUnknown),
    number("min_ms", "Min (ms)", (row) => row.min_ms, ms),
    number("max_ms", "Max (ms)", (row) => row.max_ms, ms),
    number("avg_bytes", "Average size (bytes)", (row) => (row.requests > 0 ? row.bytes / row.requests : 0), count),
    number("bytes", "Bytes", (row) => row.bytes, count),
  ];
}

/** What is kept of what the reader likes, as it was read from storage: {shown: keys or null for the usual ones, sort}. What is not known
 * any more is left out. */
export function remembered(text, columns) {
  let kept = {};
  try {
    kept = JSON.parse(text) ?? {};
  } catch {
    // It is none of ours.
  }
  const known = new Set(columns.map(({ key }) => key));
  const shown = Array.isArray(kept.shown) ? kept.shown.filter((key) => known.has(key)) : null;
  const { column, direction } = kept.sort ?? {};
  const isOrder = known.has(column) && ["ascending", "descending"].includes(direction);
  return { shown, sort: isOrder ? { column, direction } : null };
}

/** The order after a column's head was pressed: its natural one, the other one, none. */
export function nextSort(sort, column) {
  const first = column === "name" ? "ascending" : "descending";
  const other = first === "ascending" ? "descending" : "ascending";
  if (sort?.column !== column) return { column, direction: first };
  return sort.direction === first ? { column, direction: other } : null;
}

/** The rows whose method and name hold `needle` (lower case). */
export function matching(rows, needle) {
  if (needle === "") return rows;
  return rows.filter(({ method, name }) => `${method} ${name}`.toLowerCase().includes(needle));
}

/** The rows in the order of `sort` ({column, direction}); as they came (by name and method) without one. */
export function sorted(rows, sort, columns, all) {
  if (!sort) return rows;
  const sign = sort.direction === "ascending" ? 1 : -1;
  const { value } = columns.find(({ key }) => key === sort.column);
  const compare = value
    ? (a, b) => value(a, all) - value(b, all)
    : (a, b) => a.name.localeCompare(b.name) || a.method.localeCompare(b.method);
  return [...rows].sort((a, b) => sign * compare(a, b));
}

/** Rows come and go so many at a time, so that not every bit of scrolling changes the page. */
const TOGETHER = 8;

/** Which of `count` rows, each `height` high, are in the page when so much of them is scrolled away and seen: [first, end), with `spare` rows or a
 * few more to both sides. */
export function rowsInSight(count, height, scrolled, seen, spare) {
  if (height <= 0) return [0, Math.min(count, spare)];
  const begin = Math.max(0, Math.floor(scrolled / height) - spare);
  const first = Math.min(begin - (begin % TOGETHER), Math.max(0, count - 1));
  const end = Math.min(count, Math.ceil((Math.ceil((scrolled + seen) / height) + spare) / TOGETHER) * TOGETHER);
  return [first, Math.max(first, end)];
}
