// The percentile curve of each run's compared part, over each other.

import { Chart, tip } from "./chart.js";
import { nines, ninesLabel } from "./chart_data.js";
import { ChartSource } from "./chart_source.js";
import { rowsOf } from "./compare_data.js";
import { ms } from "./format.js";

export class ComparedCurve extends Chart {
  constructor(comparison) {
    const { runs, endpoint } = comparison;
    super("compare-distribution", {
      isOverTime: false,
      describe: () => `Curves of the percentiles of response times of ${runs.map((run) => run.name).join(", ")}.`,
      table: {
        columns: () => ["Percentile", ...runs.map((run) => run.name)],
        rows: () => rowsOf(this.#curves().map((curve) => curve.map(({ percentile, ms }) => [percentile, ms])), ms),
      },
    });
    this.comparison = comparison;
    this.sources = runs.map(({ id, from, to }) => {
      const query = new URLSearchParams({ from, to, ...(endpoint ? { endpoint } : {}) });
      return new ChartSource(id, { path: () => `/distribution?${query}`, hasGaps: null, changed: () => this.redraw() });
    });
  }

  seen(isSeen) {
    for (const source of this.sources) source.want(isSeen);
  }

  isReady() {
    return this.sources.every((source) => source.isReady());
  }

  #curves() {
    return this.sources.map(({ data }) => data?.curve ?? []);
  }

  marks() {
    return [];
  }

  facts() {
    const points = this.#curves().reduce((sum, curve) => sum + curve.length, 0);
    return { points, note: this.sources.find(({ error }) => error)?.error ?? "of the compared seconds" };
  }

  option() {
    const { runs } = this.comparison;
    const curves = this.#curves();
    const last = Math.max(90, ...curves.map((curve) => curve.at(-1)?.percentile ?? 0));
    return {
      over: true,
      legend: { data: runs.map(({ name }) => name) },
      xAxis: {
        type: "value",
        min: 0,
        max: Math.max(1, Math.ceil(nines(last))),
        interval: 1,
        splitLine: { show: false },
        axisLabel: { formatter: ninesLabel },
      },
      yAxis: { axisLabel: { formatter: (value) => `${value.toLocaleString("en")} ms` } },
      tooltip: { trigger: "axis", formatter: (items) => this.#tip(items) },
      series: runs.map((run, index) => {
        const color = this.palette[`run-${run.place}`];
        return {
          id: run.id,
          name: run.name,
          type: "line",
          data: curves[index].map(({ percentile, ms }) => [nines(percentile), ms]),
          showSymbol: false,
          itemStyle: { color },
          lineStyle: { color, width: 1.8 },
        };
      }),
    };
  }

  #tip(items) {
    const shown = items.filter(({ value }) => Array.isArray(value));
    if (shown.length === 0) return "";
    const { percentile } = this.#curves().find((curve) => curve[shown[0].dataIndex])?.[shown[0].dataIndex] ?? {};
    return tip(
      `${Number((percentile ?? 0).toFixed(4))}%`,
      shown.map(({ color, seriesName, value }) => [color, seriesName, `${ms(value[1])} ms`]),
    );
  }
}
