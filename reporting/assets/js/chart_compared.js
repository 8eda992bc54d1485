// A line per run over run time, from GET /api/v1/runs/{id}/charts/{chart} of each.

import { Chart, tip } from "./chart.js";
import { perSecond } from "./chart_data.js";
import { ChartSource } from "./chart_source.js";
import { boundaries, lineNamed, pointsSince, rowsOf, summed, valueAt, widest } from "./compare_data.js";
import { clock, count, ms, rate } from "./format.js";
import { symbols } from "./series.js";

/** A moment on the axis, which may be before what it counts from. */
function moment(second) {
  return second < 0 ? `−${clock(-second)}` : clock(second);
}

export class ComparedChart extends Chart {
  #step = 0;

  /** `comparison`: {runs, endpoint, since(run), isSteady, select}. `chart`: what is asked for, below a run's charts. `values(data)`:
   * those of a run's line. `hasGaps`, `isRate`, `text`, `unit` and `title` as in SourcedChart. */
  constructor(comparison, name, { chart, values, hasGaps = false, isRate = false, text, unit, title }) {
    super(`compare-${name}`, {
      describe: () => `${title} of ${comparison.runs.map((run) => run.name).join(", ")}.`,
      table: {
        columns: () => ["Second", ...comparison.runs.map((run) => run.name)],
        rows: () => rowsOf(this.#lines(), text),
      },
    });
    this.comparison = comparison;
    this.values = values;
    this.isRate = isRate;
    this.text = text;
    this.unit = unit;
    const { endpoint } = comparison;
    this.sources = comparison.runs.map(
      ({ id }) =>
        new ChartSource(id, {
          path: () => {
            const query = new URLSearchParams();
            if (endpoint) query.set("endpoint", endpoint);
            if (this.#step) query.set("step", this.#step);
            return `/charts/${chart}?${query}`;
          },
          hasGaps,
          changed: () => this.#take(),
        }),
    );
    const chartOf = this;
    /** What a chart over time reads. */
    this.run = {
      get window() {
        return comparison.isSteady ? { from: -Math.max(...comparison.runs.map(comparison.since)), to: null } : null;
      },
      /** Seconds since the steady state are others in each run: they are not one window. */
      get select() {
        return comparison.isSteady ? undefined : comparison.select;
      },
      end: () => chartOf.#end(),
      view: { marks: [] },
    };
  }

  /** Runs of different lengths have steps of different widths: then all are asked for with the widest. */
  #take() {
    const step = widest(this.sources.map(({ data }) => data?.step_s));
    if (this.sources.some(({ data }) => data && data.step_s < step)) {
      this.#step = step;
      for (const source of this.sources) source.stale();
    }
    this.redraw();
  }

  seen(isSeen) {
    for (const source of this.sources) source.want(isSeen);
  }

  isReady() {
    return this.sources.every((source) => source.isReady());
  }

  /** The points of each run, in the order of the runs. */
  #lines() {
    return this.sources.map(({ data }, index) => {
      if (!data) return [];
      const shown = this.isRate ? perSecond(data) : data;
      return pointsSince(shown, this.values(shown), this.comparison.since(this.comparison.runs[index]));
    });
  }

  #end() {
    const { runs, since } = this.comparison;
    const ends = this.sources.map(({ data }, index) => (data ? data.end_s - since(runs[index]) : 0));
    return Math.max(1, ...ends);
  }

  marks() {
    const { runs, since } = this.comparison;
    return boundaries(runs.map((run) => ({ ...run, since: since(run) })));
  }

  facts() {
    const points = this.#lines().reduce((sum, line) => sum + line.filter(([, value]) => value !== null).length, 0);
    return { points, note: this.sources.find(({ error }) => error)?.error ?? "" };
  }

  option() {
    const { runs } = this.comparison;
    const lines = this.#lines();
    return {
      end: this.#end(),
      over: true,
      legend: { data: runs.map(({ name }) => name) },
      xAxis: { axisLabel: { formatter: moment } },
      yAxis: { axisLabel: { formatter: (value) => `${value.toLocaleString("en")}${this.unit}` } },
      tooltip: { trigger: "axis", formatter: (items) => this.#tip(items) },
      series: runs.map((run, index) => {
        const color = this.palette[`run-${run.place}`];
        return {
          id: run.id,
          name: run.name,
          type: "line",
          data: lines[index],
          ...symbols(lines[index]),
          symbolSize: 5,
          connectNulls: false,
          itemStyle: { color },
          lineStyle: { color, width: 1.7 },
        };
      }),
    };
  }

  /** All runs at the moment, also those whose steps begin at others. */
  #tip(items) {
    const at = items.find(({ value }) => Array.isArray(value))?.value[0];
    if (at === undefined) return "";
    const lines = this.#lines();
    const shown = this.comparison.runs.map((run, index) => {
      const value = valueAt(lines[index], at, this.sources[index].data?.step_s ?? 1);
      return [run, value];
    });
    const rows = shown.filter(([run, value]) => value !== null && this.menu.isShown(run.name));
    return tip(
      this.comparison.isSteady ? `${moment(at)} since steady state` : `at ${moment(at)}`,
      rows.map(([run, value]) => [this.palette[`run-${run.place}`], run.name, this.text(value) + this.unit]),
    );
  }
}

/** The percentile that is chosen. */
class PercentileChart extends ComparedChart {
  #shown;

  constructor(comparison) {
    super(comparison, "percentiles", {
      chart: "percentiles",
      values: (data) => lineNamed(data, this.#shown),
      hasGaps: true,
      text: ms,
      unit: " ms",
      title: "Line chart of a percentile of response times over run time",
    });
    const buttons = [...this.figure.querySelectorAll("[data-percentile]")];
    this.#shown = buttons.find((button) => button.ariaPressed === "true").dataset.percentile;
    for (const button of buttons)
      button.addEventListener("click", () => {
        this.#shown = button.dataset.percentile;
        for (const other of buttons) other.setAttribute("aria-pressed", String(other === button));
        this.redraw();
      });
  }
}

/** All charts over time. */
export function comparedCharts(comparison) {
  const perSecondOf = (name, chart, title) =>
    new ComparedChart(comparison, name, { chart, values: summed, isRate: true, text: rate, unit: "/s", title });
  return [
    perSecondOf("requests", "statuses", "Line chart of requests per second over run time"),
    new PercentileChart(comparison),
    perSecondOf("errors", "errors", "Line chart of errors per second over run time"),
    new ComparedChart(comparison, "users", {
      chart: "agent-users",
      values: summed,
      text: count,
      unit: "",
      title: "Line chart of active users over run time",
    }),
  ];
}
