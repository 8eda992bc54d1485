// The percentiles that the server sends of all times, ascending.

import { part } from "./dom.js";
import { ms } from "./format.js";

/** As {key, name, mark, label, title, in_brief, on_bar}: the key in the data, the name in the page. */
export const allPercentiles = JSON.parse(part("endpoints").dataset.percentiles).map((percentile) => ({
  ...percentile,
  name: percentile.key.replace(/_ms$/, ""),
}));

/** Those that are shown where there is room for few. */
export const percentiles = allPercentiles.filter((percentile) => percentile.in_brief);

/** Those of a latency bar. */
export const onBar = percentiles.filter((percentile) => percentile.on_bar);

/** These percentiles of some times in words, as src/results/page_text.rs has it. */
export function timesTitle(times) {
  const texts = percentiles.map(({ key, label }) => `${label} ${ms(times[key])} ms`);
  return `${texts.join(", ")}; min ${ms(times.min_ms)} ms, max ${ms(times.max_ms)} ms`;
}
