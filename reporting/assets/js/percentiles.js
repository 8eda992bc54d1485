// The percentiles that the server sends of all times, ascending.

import { part } from "./dom.js";
import { ms } from "./format.js";

/** As {key, name, mark, label, on_bar}: the key in the data, the name in the page. */
export const percentiles = JSON.parse(part("endpoints").dataset.percentiles).map((percentile) => ({
  ...percentile,
  name: percentile.key.replace(/_ms$/, ""),
}));

/** Those of a latency bar. */
export const onBar = percentiles.filter((percentile) => percentile.on_bar);

/** All percentiles of some times in words, as src/results/page_text.rs has it. */
export function timesTitle(times) {
  const texts = percentiles.map(({ key, label }) => `${label} ${ms(times[key])} ms`);
  return `${texts.join(", ")}; min ${ms(times.min_ms)} ms, max ${ms(times.max_ms)} ms`;
}
