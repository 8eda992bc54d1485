// The statistics of a sum as `Stats` of src/measure/stats.rs has them, and how its times are distributed as src/measure/distribution.rs does.
// Pure: no DOM here.

import { MEASURE_OF, valueAt } from "./file_parts.js";

const BUCKETS_PER_DECADE = 20;
const POINTS_PER_NINE = 10;
const MAX_NINES = 6;

const ms = (us) => us / 1e3;
const averageMs = ({ count, sum }) => (count === 0 ? 0 : Math.round(sum / count) / 1e3);

/** `percentiles`: {fraction, key} of each, ascending; those without a key are not shown. */
export function statsOf(sum, percentiles) {
  const { requests, failures, bytes, first_byte_only } = sum.numbers;
  const intended = sum.times("intended");
  const firstByte = sum.times("first_byte");
  return {
    requests,
    failures,
    error_rate: requests === 0 ? 0 : failures / requests,
    bytes,
    ...timeStats(sum, "response", percentiles),
    intended: intended.count > 0 ? { requests: intended.count, ...timeStats(sum, "intended", percentiles) } : null,
    first_byte: firstByte.count > 0 ? { requests: firstByte.count, avg_ms: averageMs(firstByte) } : null,
    first_byte_only,
  };
}

function timeStats(sum, of, percentiles) {
  const times = sum.times(of);
  const shown = percentiles.filter(({ key }) => key);
  const values = sum.percentiles(
    of,
    shown.map(({ fraction }) => fraction),
  );
  const named = shown.map(({ key }, at) => [key, ms(values?.[at] ?? 0)]);
  return { avg_ms: averageMs(times), min_ms: ms(times.min), max_ms: ms(times.max), ...Object.fromEntries(named) };
}

/** How some times of a sum are distributed. */
export function distributionOf(sum, of) {
  const counts = sum.counts(MEASURE_OF[of]);
  const count = counts.reduce((all, [, times]) => all + times, 0);
  const shares = fractions(count);
  const curve = sum.percentiles(of, shares);
  if (!curve) return { count: 0, min_ms: 0, max_ms: 0, buckets: [], curve: [] };
  const { min, max } = sum.times(of);
  return {
    count,
    min_ms: ms(min),
    max_ms: ms(max),
    buckets: bucketsOf(counts),
    curve: shares.map((share, at) => ({ percentile: Math.round(share * 1e8) / 1e6, ms: ms(curve[at]) })),
  };
}

/** The fractions at which the curve of so many times has points. */
function fractions(count) {
  const shares = [];
  for (let point = 0; point <= MAX_NINES * POINTS_PER_NINE; point += 1) {
    const rest = 10 ** -(point / POINTS_PER_NINE);
    // Where less than one time is left there is nothing more to see.
    if (count * rest < 1) break;
    shares.push(1 - rest);
  }
  return shares;
}

function bucketsOf(counts) {
  const edge = (bucket) => 10 ** (bucket / BUCKETS_PER_DECADE);
  const bucketOf = (us) => {
    const guess = Math.floor(Math.log10(Math.max(1, us)) * BUCKETS_PER_DECADE);
    return edge(guess + 1) <= us ? guess + 1 : guess;
  };
  const buckets = [];
  let first = 0;
  for (const [position, times] of counts) {
    const bucket = bucketOf(valueAt(position));
    if (buckets.length === 0) first = bucket;
    while (buckets.length <= bucket - first) {
      const next = first + buckets.length;
      buckets.push({ from_ms: rounded(edge(next) / 1e3), to_ms: rounded(edge(next + 1) / 1e3), count: 0 });
    }
    buckets[bucket - first].count += times;
  }
  return buckets;
}

/** To four digits. */
function rounded(value) {
  const digits = 10 ** (3 - Math.floor(Math.log10(value)));
  return Math.round(value * digits) / digits;
}
