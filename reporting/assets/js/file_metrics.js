// Custom metrics of a part of the run, in a page that is a file: the same as the API answers, from the run's parts. Values are whole millionths, added
// up as src/measure/custom/mod.rs says, and percentiles are read as it does. Pure: no DOM here.

import { Reader, visitCounts } from "./file_parts.js";
import { count, percent, quantity } from "./format.js";

const ONE = 1_000_000n;
/** Up to this size a whole number of millionths is exact as a number. */
const EXACT = 2n ** 53n;
/** log2 of the counts of one doubling, and what it is of. */
const MAGNITUDE = 10n;
const HALF = 1n << MAGNITUDE;
/** Greatest value in millionths, whose position is so far from that of 0. */
const MOST = 10n ** 18n;
const ZERO = positionFromZero(MOST);
/** What a kind of metric does not have, or one without values. */
const NONE = "–";

/** The custom metrics of a scope as its page shows them: {note, rows}. `elapsed`: how many seconds it has. */
export function metricsOf(parts, scope, elapsed) {
  const range = parts.range(scope);
  const of = [scope.endpoint !== undefined && "endpoints", scope.outcome !== undefined && "outcomes"].filter(Boolean);
  return {
    note: of.length > 0 ? `of all ${of.join(" and ")}` : "",
    rows: parts.metrics.map((metric, place) => {
      const sum = new MetricSum();
      visit(parts, place, range, (_, from, to) => sum.add(parts.bytes, from, to));
      const values = statisticsOf(metric.kind, sum, elapsed);
      const cells = parts.metric_statistics.map(({ key, form, only_of: kind }) => {
        const value = kind && kind !== metric.kind ? null : (values[key] ?? null);
        if (value === null) return NONE;
        return form === "share" ? percent(value) : quantity(value);
      });
      return { ...metric, cells: [count(sum.count), ...cells] };
    }),
  };
}

/** The chart of a metric by its name, in some steps. */
export function metricChart(parts, name, scope, steps) {
  const place = parts.metrics.findIndex((metric) => metric.name === name);
  if (place < 0) throw new Error(`the run has no custom metric \`${name}\``);
  const sums = Array.from({ length: steps.count }, () => null);
  visit(parts, place, parts.range(scope), (part, from, to) => {
    const step = steps.at(parts.edges[part]);
    (sums[step] ??= new MetricSum()).add(parts.bytes, from, to);
  });
  const { kind } = parts.metrics[place];
  const empty = new MetricSum();
  const values = sums.map((sum) => statisticsOf(kind, sum ?? empty, 0));
  const lines = { counter: ["total"], gauge: ["last", "min", "max"], rate: ["rate"], histogram: ["avg", "p50", "p95"] }[kind];
  return steps.chart(lines.map((key) => ({ name: key, values: values.map((of) => of[key]) })));
}

function visit(parts, place, [first, end], visitRow) {
  for (const [part, from, to] of parts.metricParts[place]) if (part >= first && part < end) visitRow(part, from, to);
}

/** What a kind of metric has, by the keys of the summary; null without values. */
function statisticsOf(kind, sum, elapsed) {
  const total = inUnits(sum.sum);
  const some = (value) => (sum.count > 0 ? inUnits(value) : null);
  const mean = sum.count > 0 ? total / sum.count : null;
  switch (kind) {
    case "counter":
      return { total, per_second: elapsed > 0 ? total / elapsed : 0 };
    case "rate":
      return { total, rate: mean };
    case "gauge":
      return { last: some(sum.last), min: some(sum.min), max: some(sum.max) };
    default: {
      const [p50, p90, p95, p99] = sum.percentiles([0.5, 0.9, 0.95, 0.99]) ?? [null, null, null, null];
      return { total, avg: mean, min: some(sum.min), max: some(sum.max), p50, p90, p95, p99 };
    }
  }
}

/** What values of a metric add up to. */
class MetricSum {
  count = 0;
  sum = 0n;
  min = 0n;
  max = 0n;
  last = 0n;
  #lastAt = 0;
  #counts = new Map();

  /** Adds a stored row, which stands there among the bytes. */
  add(bytes, from, to) {
    const reader = new Reader(bytes);
    reader.at = from;
    const count = reader.number();
    const [sum, min, max] = [reader.signedBig(), reader.signedBig(), reader.signedBig()];
    const lastAt = reader.number();
    const last = reader.signedBig();
    const isFirst = this.count === 0;
    if (isFirst || min < this.min) this.min = min;
    if (isFirst || max > this.max) this.max = max;
    // Of several at the same time the greatest.
    if (isFirst || lastAt > this.#lastAt || (lastAt === this.#lastAt && last > this.last)) {
      this.#lastAt = lastAt;
      this.last = last;
    }
    this.count += count;
    this.sum += sum;
    visitCounts(bytes, reader.at, to, (position, times) => {
      this.#counts.set(position, (this.#counts.get(position) ?? 0) + times);
    });
  }

  /** The percentiles of ascending fractions; null where values are not counted by size. */
  percentiles(fractions) {
    const counts = [...this.#counts].sort(([a], [b]) => a - b);
    const total = counts.reduce((all, [, times]) => all + times, 0);
    if (total === 0) return null;
    let [at, seen, reached] = [0, 0, this.min];
    return fractions.map((fraction) => {
      const index = Math.min(Math.floor(total * fraction), total - 1);
      if (index === total - 1) return inUnits(this.max);
      for (; seen <= index && at < counts.length; at += 1) {
        seen += counts[at][1];
        const middle = middleAt(BigInt(counts[at][0]));
        reached = middle < this.min ? this.min : middle > this.max ? this.max : middle;
      }
      return inUnits(reached);
    });
  }
}

/** Millionths as the number of the unit that is nearest. */
function inUnits(millionths) {
  const size = millionths < 0n ? -millionths : millionths;
  if (size <= EXACT) return Number(millionths) / 1e6;
  return Number(millionths / ONE) + Number(millionths % ONE) / 1e6;
}

/** How far from that of 0 a value's position is. */
function positionFromZero(value) {
  const bits = BigInt((value | (2n * HALF - 1n)).toString(2).length);
  const bucket = bits - (MAGNITUDE + 1n);
  return ((bucket + 1n) << MAGNITUDE) + (value >> bucket) - HALF;
}

/** The value in the middle of those that are counted at a position. */
function middleAt(position) {
  const distance = position < ZERO ? ZERO - position : position - ZERO;
  const least = leastAt(distance);
  const size = least + (leastAt(distance + 1n) - least) / 2n;
  return position < ZERO ? -size : size;
}

function leastAt(distance) {
  const bucket = distance >> MAGNITUDE;
  return bucket === 0n ? distance : ((distance & (HALF - 1n)) + HALF) << (bucket - 1n);
}
