// The growing parts of a run as the browser keeps them. Pure: no DOM here.

/** Most samples kept in the browser. Points are as few as the server makes them. */
export const MAX_SAMPLES = 12_000;

export class RunData {
  points = [];
  samples = [];
  samplesOf = 0;
  /** Grows with every change, so that charts know whether they are up to date. */
  version = 0;

  /** Takes a RunDelta. */
  apply(delta) {
    if (delta.reset) {
      this.points = [];
      this.samples = [];
    }
    this.#mergePoints(delta.series, delta.step_s || 1);
    for (const sample of delta.samples) this.samples.push(sample);
    this.samplesOf = delta.samples_of;
    this.samples = thinned(this.samples, MAX_SAMPLES);
    this.version += 1;
  }

  #mergePoints(series, step) {
    for (const { second, users, requests, failures } of series) {
      const point = { second, step, users, requests, failures };
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

/** At most `most` samples: while there are more, every second success goes, then every second one of all. */
export function thinned(samples, most) {
  let kept = samples;
  while (kept.length > most) {
    const before = kept.length;
    let seen = 0;
    kept = kept.filter((sample) => sample.failed || seen++ % 2 === 0);
    if (kept.length > most && kept.length > before * 0.75) kept = kept.filter((_, index) => index % 2 === 0);
  }
  return kept;
}

/** [second, users] for the chart. */
export function userPoints(points) {
  return points.map((point) => [point.second, point.users]);
}

/** [middle of the step, rate] of `key` ("requests" or "failures"). */
export function ratePoints(points, key) {
  return points.map((point) => [point.second, point[key] / point.step]);
}

/** Where the run time axis ends: the whole duration of a short run, a bit more than what has happened of a long one. */
export function axisEnd(dataEnd, durationS, over) {
  if (over && dataEnd > 0) return dataEnd;
  const SHORT_S = 300;
  if (durationS <= SHORT_S) return Math.max(durationS, dataEnd);
  return Math.max(dataEnd, Math.min(durationS, Math.max(SHORT_S, dataEnd * 1.2)));
}

const STEPS_S = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200];
const DAY_S = 86_400;

/** Distance of the marks on a run time axis: the least of the usual ones that makes at most `most` of them. */
export function axisStep(spanS, most) {
  const least = spanS / Math.max(1, most);
  return STEPS_S.find((step) => step >= least) ?? Math.ceil(least / DAY_S) * DAY_S;
}

/** Samples by endpoint and outcome, in order of first appearance: [{method, name, failed, points: [[s, ms]]}]; beyond
 * `mostGroups` the rest is one group per outcome, named "(other)". */
export function groupSamples(samples, mostGroups) {
  const groups = new Map();
  for (const sample of samples) {
    let key = JSON.stringify([sample.method, sample.name, sample.failed]);
    let { method, name } = sample;
    if (!groups.has(key) && groups.size >= mostGroups) {
      key = `other ${sample.failed}`;
      [method, name] = ["", "(other)"];
    }
    let group = groups.get(key);
    if (!group) {
      group = { method, name, failed: sample.failed, points: [] };
      groups.set(key, group);
    }
    group.points.push([sample.at_s, sample.response_ms]);
  }
  return [...groups.values()];
}
