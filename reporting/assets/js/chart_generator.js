// How the workers of a run fared over time: the worst of them, half of them, and the limit above which a second is saturated.

import { Chart, tip } from "./chart.js";
import { clock, ms } from "./format.js";
import { share } from "./generator_text.js";
import { axisEnd, symbols } from "./series.js";

const lateness = (value) => (value === null ? "–" : `${ms(value)} ms`);
const CPU = {
  name: "worker-cpu",
  what: "share of a core that the thread of a worker's users uses",
  limit: 90,
  limitName: "90%",
  unit: "%",
  text: share,
  axis: (value) => `${value}%`,
  least: 100,
  lines: [
    { id: "worst", name: "Worst worker", column: "core_worst_percent" },
    { id: "wanted", name: "With waiting for its core", column: "wanted_worst_percent" },
    { id: "median", name: "Median worker", column: "core_median_percent" },
  ],
};
const LATENESS = {
  name: "timer-lateness",
  what: "lateness of timers at the 99th percentile",
  limit: 50,
  limitName: "50 ms",
  unit: "ms",
  text: lateness,
  axis: (value) => `${value} ms`,
  least: 60,
  lines: [
    { id: "worst", name: "Worst worker", column: "late_worst_ms" },
    { id: "median", name: "Median worker", column: "late_median_ms" },
  ],
};

export const generatorCharts = (run) => [new GeneratorChart(run, CPU), new GeneratorChart(run, LATENESS)];

class GeneratorChart extends Chart {
  constructor(run, kind) {
    super(kind.name, {
      describe: () => `Line chart of the ${kind.what} over run time: at most ${kind.text(this.#most())}, limit ${kind.limitName}.`,
      table: {
        columns: ["Run time (s)", ...kind.lines.map(({ name }) => name)],
        rows: () =>
          this.#columns().second.map((second, at) => [
            second,
            ...kind.lines.map(({ column }) => kind.text(this.#columns()[column][at])),
          ]),
      },
    });
    this.run = run;
    this.kind = kind;
  }

  fileTable() {
    const shown = this.#columns();
    const { lines, unit } = this.kind;
    return {
      columns: ["Run time (s)", ...lines.map(({ name }) => `${name} (${unit})`)],
      rows: shown.second.map((second, at) => [second, ...lines.map(({ column }) => shown[column][at])]),
    };
  }

  #columns() {
    return this.run.view.generator.chart;
  }

  #most() {
    const values = this.#columns()[this.kind.lines[0].column];
    return values.reduce((most, value) => Math.max(most, value ?? 0), 0);
  }

  marks() {
    return this.run.view?.marks ?? [];
  }

  facts() {
    const { second } = this.#columns();
    return { points: second.length, note: second.length > 0 ? `worst ${this.kind.text(this.#most())}` : "" };
  }

  option() {
    const { about, data } = this.run;
    const { second, step_s: step } = this.#columns();
    const p = this.palette;
    const over = about.status !== "Running";
    const colours = { worst: p.accent, wanted: p.faint, median: p.good };
    const end = axisEnd(Math.max(data.end(), second.length > 0 ? second.at(-1) + step : 0), about.duration_s, over);
    return {
      end,
      over,
      legend: { data: this.kind.lines.map(({ name }) => name) },
      yAxis: {
        max: (range) => Math.max(range.max * 1.06, this.kind.least),
        axisLabel: { showMaxLabel: false, formatter: this.kind.axis },
      },
      tooltip: { trigger: "axis", formatter: (items) => this.#tip(items) },
      series: [
        {
          id: "limit",
          name: "Limit",
          type: "line",
          data: [
            [0, this.kind.limit],
            [end, this.kind.limit],
          ],
          symbol: "none",
          silent: true,
          z: 1,
          lineStyle: { color: p.warn, width: 1, type: [4, 4] },
        },
        ...this.kind.lines.map(({ id, name, column }) => {
          const data = this.#values(column);
          return {
            id,
            name,
            type: "line",
            data,
            ...symbols(data),
            symbolSize: 4,
            z: id === "worst" ? 3 : 2,
            itemStyle: { color: colours[id] },
            lineStyle: { color: colours[id], width: id === "worst" ? 1.8 : 1.2, type: id === "wanted" ? [2, 3] : "solid" },
          };
        }),
      ],
    };
  }

  /** With a gap wherever nothing was measured. */
  #values(column) {
    const { second, step_s: step } = this.#columns();
    const values = this.#columns()[column];
    const points = [];
    second.forEach((at, index) => {
      if (index > 0 && at > second[index - 1] + step) points.push([second[index - 1] + step, null]);
      points.push([at, values[index]]);
    });
    return points;
  }

  #tip(items) {
    const shown = items.filter(({ seriesId, value }) => seriesId !== "limit" && value[1] !== null);
    if (shown.length === 0) return "";
    const rows = shown.map((item) => [item.color, item.seriesName, this.kind.text(item.value[1])]);
    return tip(`at ${clock(shown[0].value[0])}`, rows);
  }
}
