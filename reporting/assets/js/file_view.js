// What the page shows of a part of the run, in a page that is a file: the same as `GET /api/v1/runs/{id}/view` answers, from the run's
// parts. Pure: no DOM here.

import { metricsOf } from "./file_metrics.js";
import { MEASURE_OF, Sum } from "./file_parts.js";
import { statsOf } from "./file_stats.js";
import { ofParts, seriesStep } from "./file_steps.js";

/** Seconds of the current rate. */
const CURRENT_S = 10;
/** Most agents of an error that are named. */
const MAX_AGENTS = 20;
/** Most moments that a chart marks. */
const MAX_MARKS = 20;
/** Lines of the log that come with a view. */
const MAX_LINES = 1_000;
/** The numbers of dots that failed: see DotKind in src/results/views/run_view.rs. */
const FAILED_DOTS = [1, 2, 4];
/** The line of iterations that an arrival rate asks for: runs without a rate have none. */
const PLANNED = "planned";
/** What tables show percentiles of. */
const IN_TABLES = [MEASURE_OF.response, MEASURE_OF.intended];

/** {view, delta, over} of a scope: {from, to, endpoint, outcome}, its window one of whole parts. `whole`: the same of the whole run; `file`: all lines of
 * its `log`, all `moments` that charts may mark, and by endpoint its `limits` as lines of charts. */
export function viewOf(parts, whole, scope, { log, moments, limits }) {
  const { from = 0, to } = scope;
  const end = Math.min(to ?? parts.end, parts.end);
  const { about } = whole.view;
  const elapsed = Math.max(0, Math.min(about.time_elapsed_s, to ?? Infinity) - from);
  const rates = currentRates(parts, scope, about);
  const { endpoints, requestsOf, total } = totalsOf(parts, scope, rates);
  const ofAll = (place) => [...rates.values()].reduce((sum, of) => sum + of[place], 0);
  const [current, failing] = rates ? [ofAll(0), ofAll(1)] : [null, null];
  const { arrivals: hasArrivals, active_users } = whole.view.cards;
  const view = {
    ...whole.view,
    cards: {
      ...total,
      rps: elapsed > 0 ? total.requests / elapsed : 0,
      arrivals: hasArrivals && arrivalsOf(parts, from, end),
      current_rps: current,
      active_users,
    },
    endpoints,
    aggregated: { method: "", name: whole.view.aggregated.name, ...total, current_rps: current, current_failures_per_s: failing },
    errors: errorsOf(parts, scope, requestsOf),
    warnings: whole.view.warnings.filter((warning) => warning.first_second < end && warning.last_second >= from).map(ofWholeRun),
    generator: { ...whole.view.generator, of_whole_run: true },
    marks: marksOf(moments, whole.view.marks, scope),
    custom_metrics: metricsOf(parts, scope, elapsed),
    thresholds: { ...whole.view.thresholds, lines: linesAcross(whole.view.thresholds.lines, limits, scope) },
  };
  delete view.remark;
  const delta = {
    reset: true,
    ...seriesOf(parts, scope, about.status !== "Running"),
    dots: dotsOf(parts, whole.delta.dots, scope, end, total.requests),
    log: lastLines(linesOf(log, scope, about.run_started_us)),
    log_lines_dropped: whole.delta.log_lines_dropped,
  };
  return { view, delta, over: true };
}

/** How saturated the generator was in some seconds is not in the file. */
function ofWholeRun(warning) {
  return warning.kind === "saturated" ? { ...warning, message: `${warning.message} (of the whole run)` } : warning;
}

/** What charts of a scope mark: its first moments, and stretches of the whole run that reach into it. */
function marksOf(moments, marksOfWhole, { from = 0, to = Infinity }) {
  const inWindow = moments.filter(({ second }) => second >= from && second < to).slice(0, MAX_MARKS);
  const stretches = marksOfWhole.filter((mark) => isStretch(mark) && mark.to > from && mark.second < to);
  return [...inWindow, ...stretches];
}

const isStretch = ({ to }) => to !== null && to !== undefined;

/** Limits of the requests of a scope: the run's thresholds are about all requests, or all of an endpoint, or about a custom metric, which
 * belongs to no requests. */
function linesAcross(ofAll, limits, { endpoint, outcome }) {
  const ofMetrics = ofAll.filter(({ metric }) => metric !== null);
  if (outcome !== undefined) return ofMetrics;
  return endpoint === undefined ? ofAll : (limits[endpoint] ?? ofMetrics);
}

/** Rows of endpoints, the requests of each by its place, and the statistics of all of them. Where these are together, no rows. */
function totalsOf(parts, scope, rates) {
  const range = parts.range(scope);
  const total = new Sum(parts.numbers);
  const endpoints = [];
  const requestsOf = new Map();
  for (const place of parts.groupsOf(scope)) {
    const sum = new Sum(parts.numbers);
    const addInterval = (_, numbers, visitCounts) => {
      sum.addNumbers(numbers);
      for (const measure of IN_TABLES) sum.addCounts(measure, visitCounts);
    };
    parts.visit(scope, range, addInterval, [place]);
    total.add(sum);
    if (sum.numbers.requests === 0 || parts.together) continue;
    requestsOf.set(place, sum.numbers.requests);
    const [method, name] = parts.endpoints[place];
    const [rps, failing] = rates ? (rates.get(place) ?? [0, 0]) : [null, null];
    endpoints.push({ method, name, ...statsOf(sum, parts.percentiles), current_rps: rps, current_failures_per_s: failing });
  }
  return { endpoints, requestsOf, total: statsOf(total, parts.percentiles) };
}

/** Requests and failures per second of each endpoint in the last full seconds; null where only parts are counted. */
function currentRates(parts, scope, about) {
  if (!parts.counts_seconds) return null;
  const { from = 0, to = Infinity } = scope;
  const last = about.status === "Running" ? Math.floor(about.time_elapsed_s) - 2 : Math.min(parts.end - 1, Math.floor(about.time_elapsed_s));
  const end = Math.min(Math.max(0, last), to);
  const start = Math.max(end - CURRENT_S, from, 0);
  const counts = new Map();
  if (end <= start) return counts;
  parts.visitCounts(scope, start, end, (_, place, requests, failures) => {
    const [r, f] = counts.get(place) ?? [0, 0];
    counts.set(place, [r + requests, f + failures]);
  });
  for (const [place, [r, f]] of counts) counts.set(place, [r / (end - start), f / (end - start)]);
  return counts;
}

function arrivalsOf(parts, from, end) {
  const sum = { started: 0, late: 0, skipped: 0 };
  for (const [second, , arrivals] of parts.users) {
    if (second < from || second >= end) continue;
    for (const name of Object.keys(sum)) sum[name] += arrivals[name];
  }
  const isPlanned = parts.by_part.arrivals.some(({ name }) => name === PLANNED);
  return isPlanned || Object.values(sum).some((count) => count > 0) ? sum : null;
}

/** The series of a scope: {series, step_s}. */
export function seriesOf(parts, scope, isOver) {
  const { from = 0, to } = scope;
  const end = Math.min(to ?? parts.end, parts.end);
  const width = parts.counts_seconds ? 1 : parts.step_s;
  const step = ofParts(seriesStep(from, end, scope.endpoint !== undefined), width);
  const first = from - (from % step);
  const series = [];
  for (let second = first; second < end; second += step) series.push({ second: Math.max(second, from), users: 0, requests: 0, failures: 0 });
  const pointOf = (second) => series[Math.floor((second - first) / step)];
  parts.visitCounts(scope, from, end, (second, _, requests, failures) => {
    const point = pointOf(second);
    point.requests += requests;
    point.failures += failures;
  });
  let [users, at] = [0, 0];
  // Users at the beginning of each point.
  for (const point of series) {
    for (; at < parts.users.length && parts.users[at][0] < point.second; at += 1) users += parts.users[at][1];
    point.users = Math.max(0, users);
  }
  const after = series.length > 0 ? series.at(-1).second - (series.at(-1).second % step) + step : null;
  if (isOver && after !== null && after < (to ?? Infinity)) series.push({ second: after, users: 0, requests: 0, failures: 0 });
  return { series, step_s: step };
}

/** Errors of a scope, the most frequent first. `requestsOf`: how many requests it has, by the place of their endpoint. */
function errorsOf(parts, scope, requestsOf) {
  if (scope.outcome === "ok") return [];
  const [first, end] = parts.range(scope);
  const places = new Set(parts.endpointsOf(scope));
  const rows = [];
  parts.errors.forEach((error, number) => {
    if (!places.has(error.endpoint)) return;
    const seen = parts.errorParts[number].filter(([part]) => part >= first && part < end).map(([, known]) => known);
    if (seen.length === 0) return;
    const names = [...new Set(seen.flatMap(({ agents }) => agents))].map((agent) => parts.agents[agent]);
    names.sort((a, b) => (a < b ? -1 : 1));
    const occurrences = seen.reduce((sum, known) => sum + known.occurrences, 0);
    const [method, name] = parts.endpoints[error.endpoint];
    const of = requestsOf.get(error.endpoint) ?? 0;
    rows.push({
      method,
      name,
      error: error.error,
      place: error.place,
      occurrences,
      request_share: of > 0 ? occurrences / of : null,
      error_share: 0,
      agent_count: names.length,
      agents: names.slice(0, MAX_AGENTS),
      samples: error.samples,
      first_s: seen[0].first,
      last_s: seen.at(-1).last,
    });
  });
  const all = rows.reduce((sum, row) => sum + row.occurrences, 0);
  // Of how many errors it is a share is not known where some are not in the file.
  for (const row of rows) row.error_share = parts.errors_left_out ? null : row.occurrences / all;
  return rows.sort((a, b) => b.occurrences - a.occurrences);
}

/** Of the whole run's dots those of a scope. */
function dotsOf(parts, dots, scope, end, requests) {
  const { from = 0, outcome } = scope;
  const wanted = scope.endpoint === undefined ? null : parts.endpoints[parts.endpointsOf(scope)[0]];
  const isWanted = dots.endpoints.map(([method, name]) => !wanted || (method === wanted[0] && name === wanted[1]));
  const kept = { at_ms: [], response_us: [], endpoint: [], kind: [] };
  let [at, before] = [0, 0];
  dots.at_ms.forEach((after, index) => {
    at += after;
    const second = Math.floor(at / 1_000);
    const failed = FAILED_DOTS.includes(dots.kind[index]);
    const isIn = second >= from && second < end && isWanted[dots.endpoint[index]];
    if (!isIn || (outcome !== undefined && failed !== (outcome === "failed"))) return;
    kept.at_ms.push(at - before);
    before = at;
    for (const name of ["response_us", "endpoint", "kind"]) kept[name].push(dots[name][index]);
  });
  const { drawn_share, failed_share, endpoints } = dots;
  return { forget: true, next: kept.at_ms.length + 1, gone: [], endpoints, ...kept, drawn_share, failed_share, of: requests };
}

/** The lines of a log that come with a view. */
export const lastLines = (log) => log.slice(-MAX_LINES);

/** Of the log's lines those of a window. */
export function linesOf(log, { from, to }, startedUs) {
  if (from === undefined && to === undefined) return log;
  const at = (second) => (startedUs ?? 0) + second * 1e6;
  return log.filter((line) => line.at_us >= at(from ?? 0) && (to === undefined || line.at_us < at(to)));
}
