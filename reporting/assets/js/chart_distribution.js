// How response times are distributed: as a histogram, or as a curve of percentiles on a scale of nines.

import { Chart, tip } from "./chart.js";
import { nines, ninesLabel } from "./chart_data.js";
import { ChartSource } from "./chart_source.js";
import { count, ms } from "./format.js";

export class DistributionChart extends Chart {
  #of = "response";
  #isCurve = false;

  constructor(run) {
    super("distribution", {
      isOverTime: false,
      describe: () => {
        const { data } = this.source;
        if (!data?.count) return "Distribution of response times: nothing yet.";
        return `Distribution of ${count(data.count)} times from ${ms(data.min_ms)} to ${ms(data.max_ms)} ms.`;
      },
      table: {
        columns: () => (this.#isCurve ? ["Percentile", "Time (ms)"] : ["From (ms)", "To (ms)", "Requests"]),
        rows: () => this.#rows(),
      },
    });
    this.run = run;
    const query = () => run.query?.().slice(1) ?? "";
    this.source = new ChartSource(run.id, {
      path: () => `/distribution?of=${this.#of}${query() && `&${query()}`}`,
      hasGaps: null,
      changed: () => this.redraw(),
    });
    this.#buttons("of", (value) => (this.#of = value));
    this.#buttons("shape", (value) => (this.#isCurve = value === "curve"));
  }

  #buttons(name, choose) {
    const buttons = [...this.figure.querySelectorAll(`[data-${name}]`)];
    for (const button of buttons)
      button.addEventListener("click", () => {
        choose(button.dataset[name]);
        for (const other of buttons) other.setAttribute("aria-pressed", String(other === button));
        this.changed();
      });
  }

  seen(isSeen) {
    this.source.want(isSeen);
  }

  changed() {
    this.source.stale();
    this.redraw();
  }

  isReady() {
    return this.source.isReady();
  }

  #rows() {
    const { buckets = [], curve = [] } = this.source.data ?? {};
    if (this.#isCurve) return curve.map((point) => [point.percentile, ms(point.ms)]);
    return buckets.map((bucket) => [bucket.from_ms, bucket.to_ms, count(bucket.count)]);
  }

  facts() {
    const { data, error } = this.source;
    const nothing = data && data.count === 0 && this.#of !== "response" ? "not measured" : "";
    return { points: data?.count ?? 0, note: error ?? (data?.count ? `${count(data.count)} requests` : nothing) };
  }

  marks() {
    return [];
  }

  option() {
    return this.#isCurve ? this.#curve() : this.#histogram();
  }

  #histogram() {
    const { buckets = [] } = this.source.data ?? {};
    const { accent } = this.palette;
    const label = (index) => (buckets[index] ? `${ms(buckets[index].from_ms)} ms` : "");
    return {
      over: true,
      legend: { show: false },
      grid: { top: 16 },
      xAxis: {
        type: "category",
        data: buckets.map((_, index) => label(index)),
        interval: null,
        axisLabel: { formatter: (name) => name },
      },
      yAxis: { axisLabel: { formatter: count } },
      tooltip: {
        trigger: "axis",
        axisPointer: { type: "shadow" },
        formatter: ([item]) => {
          const bucket = item && buckets[item.dataIndex];
          return bucket ? tip(`${ms(bucket.from_ms)} to ${ms(bucket.to_ms)} ms`, [[accent, "Requests", count(bucket.count)]]) : "";
        },
      },
      series: [
        {
          id: "histogram",
          name: "Requests",
          type: "bar",
          data: buckets.map((bucket) => bucket.count),
          barCategoryGap: "8%",
          itemStyle: { color: accent, opacity: 0.75 },
        },
      ],
    };
  }

  #curve() {
    const { curve = [] } = this.source.data ?? {};
    const { accent } = this.palette;
    return {
      over: true,
      legend: { show: false },
      grid: { top: 16 },
      xAxis: {
        type: "value",
        min: 0,
        max: Math.max(1, Math.ceil(nines(curve.at(-1)?.percentile ?? 90))),
        interval: 1,
        splitLine: { show: false },
        axisLabel: { formatter: ninesLabel },
      },
      yAxis: { axisLabel: { formatter: (value) => `${value.toLocaleString("en")} ms` } },
      tooltip: {
        trigger: "axis",
        formatter: ([item]) => {
          const point = item && curve[item.dataIndex];
          return point ? tip(`${Number(point.percentile.toFixed(4))}%`, [[accent, "Time", `${ms(point.ms)} ms`]]) : "";
        },
      },
      series: [
        {
          id: "curve",
          name: "Time",
          type: "line",
          data: curve.map((point) => [nines(point.percentile), point.ms]),
          showSymbol: false,
          itemStyle: { color: accent },
          lineStyle: { color: accent, width: 1.8 },
          areaStyle: { color: accent, opacity: 0.08 },
        },
      ],
    };
  }
}
