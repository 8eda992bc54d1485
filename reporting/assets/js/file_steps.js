// How wide the points of series and charts are: in a page that is a file as src/measure/windows.rs, src/store/series.rs and
// src/store/charts/steps.rs choose it. Pure: no DOM here.

const RADIX = 8;
const LEVELS = 6;
/** Most points of the series on a page. */
const MAX_SERIES_POINTS = 1_200;
/** Most stored rows of a point or a step, where only some of the rows are meant. */
const MAX_ROWS = 3;
const MAX_CHART_STEPS = 1_200;
const MIN_CHART_STEPS = 30;
/** About how many rows of the store a chart may read. */
const MAX_CHART_ROWS = 40_000;

/** Seconds in a point, so that so many seconds make at most so many points. */
export function stepFor(seconds, maxPoints, maxRows) {
  const most = Math.max(1, maxPoints);
  for (let level = 0; level < LEVELS; level += 1) {
    const width = RADIX ** level;
    for (let times = 1; times < Math.min(RADIX, maxRows + 1); times += 1) {
      if (Math.ceil(seconds / (times * width)) <= most) return times * width;
    }
  }
  const width = RADIX ** (LEVELS - 1);
  return Math.ceil(Math.ceil(seconds / most) / width) * width;
}

/** Of the series of a window; `isNarrowed`: whether it is of one endpoint. */
export function seriesStep(from, to, isNarrowed) {
  if (from >= to) return 1;
  const more = 1 + (from > 0 ? 1 : 0);
  return stepFor(to - from, MAX_SERIES_POINTS - more, isNarrowed ? MAX_ROWS : Infinity);
}

/** Of a chart of which each second has so many rows in the store. */
export function chartStep(from, to, rows) {
  const most = Math.min(Math.max(Math.floor(MAX_CHART_ROWS / Math.max(1, rows)), MIN_CHART_STEPS), MAX_CHART_STEPS - 1);
  return stepFor(to - from, most, MAX_ROWS);
}

/** The least multiple of the width of parts that is as wide. */
export function ofParts(step, width) {
  return Math.ceil(step / width) * width;
}
