// What charts show of a part of the run, in a page that is a file: as `GET /api/v1/runs/{id}/charts/{chart}` and `/distribution` answer it, from the
// run's parts. A step of a chart is at least as wide as a part. Pure: no DOM here.

import { metricChart } from "./file_metrics.js";
import { MEASURE_OF, Sum, valueAt } from "./file_parts.js";
import { distributionOf } from "./file_stats.js";
import { chartStep, ofParts } from "./file_steps.js";

/** Most lines of a chart; further ones are one, of this name. */
const MAX_LINES = 12;
const OTHERS = "others";
const NO_ANSWER = "no answer";
const NOT_MEASURED = "not measured";

/** A chart of a scope by its name and the times or the custom metric it is of. `byPart`: charts that are in the file by part. Throws where there is
 * none. */
export function chartOf(parts, name, { of, metric }, scope, byPart) {
  switch (name) {
    case "custom-metric":
      return metricChart(parts, metric, scope, new Steps(parts, scope, 1));
    case "percentiles":
      return percentilesOf(parts, of, scope);
    case "statuses":
      return statusesOf(parts, scope);
    case "errors":
      return errorsOf(parts, scope);
    default:
      return byParts(parts, byPart[name], scope, { isOfRequests: name === "agent-requests", isOfAgents: name.startsWith("agent-") });
  }
}

/** How some times of a scope are distributed. */
export function distributionIn(parts, of, scope) {
  const sum = new Sum(parts.numbers);
  parts.visit(scope, parts.range(scope), (_, numbers, visitCounts) => {
    sum.addNumbers(numbers);
    sum.addCounts(MEASURE_OF[of], visitCounts);
  });
  return distributionOf(sum, of);
}

/** The steps of a chart of which each second has so many rows in the store. */
class Steps {
  constructor(parts, { from = 0, to }, rows) {
    this.from = from;
    this.to = Math.min(to ?? parts.end, parts.end);
    this.width = ofParts(chartStep(from, this.to, rows), parts.step_s);
    this.first = from - (from % this.width);
    this.count = from < this.to ? Math.ceil((this.to - this.first) / this.width) : 0;
  }

  at(second) {
    return Math.floor((second - this.first) / this.width);
  }

  chart(lines) {
    const seconds = Array.from({ length: this.count }, (_, step) => Math.max(this.from, this.first + step * this.width));
    return { step_s: this.width, seconds, end_s: this.to, lines };
  }
}

function percentilesOf(parts, of, scope) {
  const steps = new Steps(parts, scope, parts.endpointsOf(scope).length);
  const [first, end] = parts.range(scope);
  const lines = parts.percentiles.map(({ title }) => ({ name: title, values: new Array(steps.count).fill(null) }));
  const fractions = parts.percentiles.map(({ fraction }) => fraction);
  // Part after part, so that few sums are open.
  for (let part = first; part < end; ) {
    const step = steps.at(parts.edges[part]);
    let next = part;
    while (next < end && steps.at(parts.edges[next]) === step) next += 1;
    const sum = new Sum(parts.numbers);
    parts.visit(scope, [part, next], (_, numbers, visitCounts) => {
      sum.addNumbers(numbers);
      sum.addCounts(MEASURE_OF[of], visitCounts);
    });
    const values = sum.percentiles(of, fractions);
    if (values) lines.forEach((line, index) => (line.values[step] = values[index] / 1e3));
    part = next;
  }
  return steps.chart(lines);
}

function statusesOf(parts, scope) {
  const steps = new Steps(parts, scope, parts.endpointsOf(scope).length);
  const counts = new Counts(steps.count);
  parts.visit(scope, parts.range(scope), (part, numbers, visitCounts) => {
    const step = steps.at(parts.edges[part]);
    let measured = 0;
    visitCounts("statuses", (position, times) => {
      const status = valueAt(position);
      measured += times;
      counts.add(status === 0 ? NO_ANSWER : String(status), step, times);
    });
    if (numbers.requests > measured) counts.add(NOT_MEASURED, step, numbers.requests - measured);
  });
  return steps.chart(counts.lines());
}

function errorsOf(parts, scope) {
  const steps = new Steps(parts, scope, parts.errors.length);
  const counts = new Counts(steps.count);
  const [first, end] = parts.range(scope);
  const places = new Set(parts.endpointsOf(scope));
  parts.errors.forEach((error, number) => {
    if (scope.outcome === "ok" || !places.has(error.endpoint)) return;
    const text = error.place ? `${error.error} (${error.place})` : error.error;
    for (const [part, { occurrences }] of parts.errorParts[number]) {
      if (part >= first && part < end) counts.add(text, steps.at(parts.edges[part]), occurrences);
    }
  });
  return steps.chart(counts.lines());
}

/** A chart that is in the file by part; one of `requests` only of all of them. */
function byParts(parts, lines, scope, { isOfRequests, isOfAgents }) {
  if (!lines) throw new Error("This file has it of the whole run only.");
  if (isOfRequests && (scope.endpoint !== undefined || scope.outcome !== undefined)) throw new Error("This file has it of all requests only.");
  const [first, end] = parts.range(scope);
  const cut = lines.map(({ name, values }) => ({ name, values: values.slice(first, end) }));
  const isEmpty = cut.every(({ values }) => values.every((value) => value === 0));
  const sorted = isOfAgents ? greatestFirst(cut) : isEmpty ? [] : cut;
  return { step_s: parts.step_s, seconds: parts.edges.slice(first, end), end_s: parts.edges[end], lines: sorted };
}

/** Lines by their sums, then by name. */
function greatestFirst(lines) {
  const total = ({ values }) => values.reduce((sum, value) => sum + value, 0);
  const totals = new Map(lines.map((line) => [line, total(line)]));
  return lines.toSorted((a, b) => totals.get(b) - totals.get(a) || (a.name < b.name ? -1 : 1));
}

/** Lines of counts by name. */
class Counts {
  #lines = new Map();

  constructor(steps) {
    this.steps = steps;
  }

  add(name, step, times) {
    let line = this.#lines.get(name);
    if (!line) this.#lines.set(name, (line = new Array(this.steps).fill(0)));
    line[step] += times;
  }

  /** The greatest first; those that are too many as one. */
  lines() {
    const lines = greatestFirst([...this.#lines].map(([name, values]) => ({ name, values })));
    const others = lines.length > MAX_LINES ? lines.splice(MAX_LINES - 1) : [];
    if (others.length > 0) {
      const values = others[0].values.map((_, step) => others.reduce((sum, line) => sum + line.values[step], 0));
      lines.push({ name: OTHERS, values });
    }
    return lines;
  }
}
