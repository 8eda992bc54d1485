// The growing parts of a run as the browser keeps them. Pure: no DOM here.

/** What a dot's number in DotChanges::kind (src/results/views/run_view.rs) means: its outcome, and whether it was kept in addition to those
 * drawn. */
const KINDS = [
  { failed: false, extra: false },
  { failed: true, extra: false },
  { failed: true, extra: true },
  { failed: false, extra: true },
  { failed: true, extra: true },
];

export class RunData {
  points = [];
  /** Dots of the scatter plot, in order of time. */
  samples = [];
  samplesOf = 0;
  /** Which share of all requests, and of the failed ones, has a dot. */
  shares = { drawn: 1, failed: 1 };
  #dots = new Map();
  #endpoints = [];

  /** Takes a RunDelta. */
  apply(delta) {
    if (delta.reset) this.points = [];
    this.#mergePoints(delta.series, delta.step_s || 1);
    this.#changeDots(delta.dots);
  }

  #changeDots(changes) {
    if (changes.forget) {
      this.#dots.clear();
      this.#endpoints = [];
    }
    for (const number of changes.gone) this.#dots.delete(number);
    this.#endpoints.push(...changes.endpoints);
    const { numbers = [] } = changes;
    let number = numbers.length > 0 ? 0 : changes.next - changes.at_ms.length - 1;
    let atMs = 0;
    changes.at_ms.forEach((after, index) => {
      atMs += after;
      number += numbers[index] ?? 1;
      const [method, name] = this.#endpoints[changes.endpoint[index]];
      const response_ms = changes.response_us[index] / 1_000;
      this.#dots.set(number, { at_s: atMs / 1_000, response_ms, method, name, ...KINDS[changes.kind[index]] });
    });
    this.samplesOf = changes.of;
    this.shares = { drawn: changes.drawn_share, failed: changes.failed_share };
    if (changes.forget || changes.gone.length > 0 || changes.at_ms.length > 0) {
      this.samples = [...this.#dots.values()].sort((a, b) => a.at_s - b.at_s);
    }
  }

  #mergePoints(series, step) {
    for (const { second, users, requests, failures, left_out: leftOut = 0 } of series) {
      const point = { second, step, seconds: step - leftOut, users, requests, failures };
      const last = this.points.at(-1);
      if (!last || second > last.second) {
        this.points.push(point);
        continue;
      }
      const at = lowerBound(this.points, second);
      if (this.points[at].second === second) this.points[at] = point;
      else this.points.splice(at, 0, point);
    }
  }

  /** Second of run time at which the data ends. */
  end() {
    const last = this.points.at(-1);
    return Math.max(last ? last.second + last.step : 0, this.samples.at(-1)?.at_s ?? 0);
  }
}

/** Index of the first point that is not before `second`. */
export function lowerBound(points, second) {
  let low = 0;
  let high = points.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (points[middle].second < second) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The most users at any point. */
export function mostUsers(points) {
  return points.reduce((most, point) => Math.max(most, point.users), 0);
}

/** [second, users] for the chart. */
export function userPoints(points) {
  return points.map((point) => [point.second, point.users]);
}

/** Per second of a point without seconds that are left out; null if all of them are. */
export function rateOf(point, key) {
  return point.seconds > 0 ? point[key] / point.seconds : null;
}

/** [middle of the step, rate] of `key` ("requests" or "failures"). */
export function ratePoints(points, key) {
  return points.map((point) => [point.second, rateOf(point, key)]);
}

/** All points of a line with fewer are drawn. */
const FEW_POINTS = 3;
const SYMBOL = "circle";

/** Which points of a line, [second, value], ECharts draws by themselves: those that no line reaches, because there is nothing on either
 * side of them. `isHeld`: whether the line goes on over what is not there. */
export function symbols(points, isHeld = false) {
  const isThere = (index) => typeof points[index]?.[1] === "number";
  const there = points.reduce((count, _, index) => count + (isThere(index) ? 1 : 0), 0);
  if (there < FEW_POINTS) return { showSymbol: true, symbol: SYMBOL };
  const isAlone = (index) => isThere(index) && !isThere(index - 1) && !isThere(index + 1);
  // A line without such points keeps its symbol: the pointer shows the one that is nearest.
  if (isHeld || !points.some((_, index) => isAlone(index))) return { showSymbol: false, symbol: SYMBOL };
  return { showSymbol: true, symbol: (_, { dataIndex }) => (isAlone(dataIndex) ? SYMBOL : "none") };
}

/** Least run time on the axis of an active run. */
const LEAST_AXIS_S = 20;

/** Where the run time axis ends: with what there is once the run is over; before, a little later, but not beyond the
 * planned duration unless the run is. */
export function axisEnd(dataEnd, durationS, over) {
  if (over && dataEnd > 0) return dataEnd;
  const ahead = Math.max(LEAST_AXIS_S, dataEnd * 1.1);
  return Math.max(dataEnd, Math.min(durationS, ahead));
}

const STEPS_S = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200];
const DAY_S = 86_400;

/** Distance of the marks on a run time axis: the least of the usual ones that makes at most `most` of them. */
export function axisStep(spanS, most) {
  const least = spanS / Math.max(1, most);
  return STEPS_S.find((step) => step >= least) ?? Math.ceil(least / DAY_S) * DAY_S;
}

/** "1 in 30" for a share of 0.033; "all" for one of 1. */
export function oneIn(share) {
  if (share > 0.999) return "all";
  const n = 1 / share;
  return `1 in ${n < 9.95 ? n.toFixed(1).replace(".0", "") : Math.round(n).toLocaleString("en")}`;
}

/** Samples by endpoint, outcome and whether they were kept in addition, in the order of `named` endpoints, failures last:
 * [{method, name, failed, extra, points: [[s, ms]]}]. Those of other endpoints are one group per outcome, named "(other)". */
export function groupSamples(samples, named) {
  const groups = new Map();
  const key = (method, name, failed, extra) => JSON.stringify([method, name, failed, extra]);
  for (const failed of [false, true])
    for (const { method, name } of [...named, { method: "", name: "(other)" }])
      for (const extra of [false, true])
        groups.set(key(method, name, failed, extra), { method, name, failed, extra, points: [] });
  for (const { method, name, failed, extra, at_s: at, response_ms: time } of samples) {
    const group = groups.get(key(method, name, failed, extra)) ?? groups.get(key("", "(other)", failed, extra));
    group.points.push([at, time]);
  }
  return [...groups.values()].filter(({ points }) => points.length > 0);
}
