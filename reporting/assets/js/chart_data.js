// What the charts of GET /api/v1/runs/{id}/charts/{chart} answer, as the browser keeps and shows it. Pure: no DOM here.

/** Seconds behind the newest that an active run's results may still change: these are asked for again. */
export const MAY_CHANGE_S = 15;

/** Where the next question begins: what is before has come to rest. 0 asks for everything. */
export function nextSince(data) {
  if (!data || data.seconds.length === 0) return 0;
  return Math.max(0, data.seconds.at(-1) - MAY_CHANGE_S);
}

/** A chart with its newer part, which was asked for from a second on. Lines that one of them does not have are 0 there, or
 * nothing where the chart has gaps. Null if they do not fit: then everything has to be asked for. */
export function merged(before, newer, hasGaps) {
  if (!before || before.step_s !== newer.step_s) return null;
  const first = newer.seconds[0] ?? newer.end_s;
  const kept = before.seconds.filter((second) => second < first).length;
  const nothing = hasGaps ? null : 0;
  const line = (data, name, count) =>
    data.lines.find((known) => known.name === name)?.values.slice(0, count) ?? new Array(count).fill(nothing);
  const names = [...new Set([...before.lines, ...newer.lines].map(({ name }) => name))];
  return {
    step_s: newer.step_s,
    seconds: [...before.seconds.slice(0, kept), ...newer.seconds],
    end_s: newer.end_s,
    left_out: [...leftOut(before).slice(0, kept), ...leftOut(newer)],
    lines: names.map((name) => ({
      name,
      values: [...line(before, name, kept), ...line(newer, name, newer.seconds.length)],
    })),
  };
}

/** How many seconds of each step are left out; where that is none an answer does not say it. */
function leftOut({ seconds, left_out: all }) {
  return all ?? seconds.map(() => 0);
}

/** How many seconds each step has without those that are left out: the first and the last one may be shorter. */
export function widths(data) {
  const { seconds, end_s: end } = data;
  const without = leftOut(data);
  return seconds.map((second, index) => Math.max(1, (seconds[index + 1] ?? end) - second) - without[index]);
}

/** Counts of steps as rates per second; nothing where all of a step is left out. */
export function perSecond(data) {
  const seconds = widths(data);
  const lines = data.lines.map(({ name, values }) => ({
    name,
    values: values.map((value, index) => (value === null || seconds[index] <= 0 ? null : value / seconds[index])),
  }));
  return { ...data, lines };
}

/** A line as [second, value] for a chart. */
export function points({ seconds }, { values }) {
  return seconds.map((second, index) => [second, values[index]]);
}

/** The rows of a table: the second, then the value of each line as `text` writes it. */
export function rows({ seconds, lines }, text) {
  return seconds.map((second, index) => [
    second,
    ...lines.map(({ values }) => (values[index] === null ? "" : text(values[index]))),
  ]);
}

/** Which lines are shown after one is chosen alone: only this one, or all again if it was the only one. */
export function soloed(names, shown, name) {
  const isAlone = shown.has(name) && names.every((other) => other === name || !shown.has(other));
  return new Set(isAlone ? names : [name]);
}

/** The same for programs: numbers as they are, nothing where there is none. */
export function numbers({ seconds, lines }) {
  return rows({ seconds, lines }, (value) => value);
}

/** A cell of a table that people read as programs read it: a number without what groups its digits. */
export function plain(cell) {
  return typeof cell === "string" && /^-?\d{1,3}(,\d{3})+(\.\d+)?$/.test(cell) ? cell.replaceAll(",", "") : cell;
}

/** A name as a part of a file's name: letters and digits of any script, at most so many characters; empty where it has none. */
export function fileWord(name, most = 60) {
  const words = name.normalize("NFC").match(/[\p{L}\p{M}\p{N}]+/gu) ?? [];
  return [...words.join("-")].slice(0, most).join("");
}

/** A table as CSV (RFC 4180): rows of texts and numbers. */
export function csv(table) {
  const cell = (value) => {
    const text = value === null || value === undefined ? "" : String(value);
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  return table.map((row) => `${row.map(cell).join(",")}\r\n`).join("");
}

/** Where a percentile is on an axis of nines: 0 at 0 %, 1 at 90 %, 2 at 99 %, … */
export function nines(percentile) {
  return -Math.log10(Math.max(1e-9, 1 - percentile / 100));
}

/** The percentile at a place of the axis of nines: "90%", "99.9%". */
export function ninesLabel(place) {
  const percentile = 100 * (1 - 10 ** -place);
  return `${Number(percentile.toFixed(Math.max(0, Math.ceil(place) - 1)))}%`;
}
