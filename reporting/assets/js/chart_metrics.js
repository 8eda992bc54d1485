// A chart for each custom metric. There may be a hundred of them: each is made when it comes into view, and asks and draws only there.

import { SourcedChart } from "./chart_sourced.js";
import { fileWord } from "./chart_data.js";
import { h, part } from "./dom.js";
import { percent, quantity } from "./format.js";
import { MAX_AT_A_GLANCE, isFound, kindText, onMetricFilter } from "./metrics.js";

const KEY = "greylag-metric-charts";
/** How far below the window a chart is made. */
const AHEAD = "200px";
/** Lines whose names in the API are not those that people read. */
const TITLES = { total: "per second", avg: "average", rate: "share" };

/** The chart of a metric in a figure that is on the page. */
class MetricChart extends SourcedChart {
  #isSeen = false;
  #isMissed = false;

  constructor(run, figure, metric) {
    const { name, kind, unit } = metric;
    const isCounter = kind === "counter";
    super(run, figure, {
      path: () => `/charts/custom-metric?metric=${encodeURIComponent(name)}`,
      hasGaps: !isCounter,
      isRate: isCounter,
      text: kind === "rate" ? percent : quantity,
      unit: (unit && ` ${unit}`) + (isCounter ? "/s" : ""),
      title: `Line chart of the custom metric ${name}`,
    });
    this.metric = metric;
  }

  /** Of a hundred charts only those in view are brought up to date. */
  changed() {
    this.source.stale();
    this.#isMissed = !this.#isSeen;
    if (this.#isSeen) this.redraw();
  }

  seen(isSeen) {
    super.seen(isSeen);
    this.#isSeen = isSeen;
    if (isSeen && this.#isMissed) this.changed();
  }

  lines() {
    return super.lines().map((line) => ({ ...line, name: TITLES[line.name] ?? line.name }));
  }

  limits() {
    const lines = this.run?.view?.thresholds?.lines ?? [];
    return lines.filter(({ chart, metric }) => chart === "custom-metric" && metric === this.metric?.name);
  }

  fileName() {
    const word = fileWord(this.metric.name);
    return word ? `custom-metric-${word}` : super.fileName();
  }

  /** A share is a number from 0 to 1. */
  column(line) {
    const unit = this.unit.trim();
    return `${this.metric.name} ${line.name}${unit && ` (${unit})`}`;
  }

  remark() {
    const isEmpty = this.data() && this.lines().every(({ values }) => values.every((value) => value === null));
    return kindText(this.metric) + (isEmpty ? ", no values" : "");
  }

  colour({ name }, place) {
    const { accent, good, warn, muted } = this.palette;
    const known = { average: muted, p50: good, p95: accent, last: accent, min: muted, max: warn };
    return known[name] ?? (this.lines().length === 1 ? accent : super.colour({ name }, place));
  }

  /** A gauge is what was set last. Its least and greatest value are those of a step. */
  isHeld({ name }) {
    return this.metric.kind === "gauge" && name === "last";
  }

  axis() {
    const isShare = this.metric.kind === "rate";
    const hasNegative = this.lines().some(({ values }) => values.some((value) => value < 0));
    return {
      min: hasNegative ? null : 0,
      axisLabel: { formatter: (value) => (isShare ? `${quantity(value * 100)}%` : quantity(value)) },
    };
  }
}

export class MetricCharts {
  /** By the place of their metric; undefined before a chart is made. */
  #charts = [];
  #figures = [];
  /** How it was opened or folded here, until the page says so: that is not the reader's choice. */
  #unfolded = null;
  #observer = new IntersectionObserver((entries) => this.#come(entries), { rootMargin: AHEAD });

  constructor(run) {
    this.run = run;
    this.details = part("metric-charts");
    this.grid = this.details.querySelector(".charts");
    // However it is opened: by its summary, a key, or a search in the page.
    this.details.addEventListener("toggle", () => {
      if (this.details.open !== this.#unfolded) remember(this.details.open);
      this.#unfolded = null;
    });
    onMetricFilter(() => this.#filter());
  }

  /** The run or what is shown of it has changed. */
  redraw() {
    const { rows } = this.run.view.custom_metrics;
    if (rows.length > 0 && this.#figures.length === 0) this.#unfold(rows.length);
    for (let place = this.#figures.length; place < rows.length; place += 1) this.#add(place, rows[place]);
    for (const chart of this.#charts) chart?.changed();
  }

  /** The charts that have been made. */
  made() {
    return this.#charts.filter((chart) => chart !== undefined);
  }

  /** Once, where there are few; from then on it is the reader's. */
  #unfold(count) {
    const isOpen = remembered() ?? count <= MAX_AT_A_GLANCE;
    if (isOpen === this.details.open) return;
    this.#unfolded = isOpen;
    this.details.open = isOpen;
  }

  #filter() {
    const { rows } = this.run.view.custom_metrics;
    this.#figures.forEach((figure, place) => (figure.hidden = !isFound(rows[place].name)));
  }

  #add(place, { name }) {
    const title = `${nameOf(place)}-title`;
    const figure = h(
      "figure",
      { class: "chart", "data-chart": nameOf(place), "data-points": 0, "data-place": place, "aria-labelledby": title, hidden: !isFound(name) },
      h("figcaption", {}, h("h3", { id: title }, name), h("span", { class: "chart-note", "data-role": "note" })),
      h("div", { class: "chart-canvas", role: "img", "aria-label": `${name} over run time` }),
      h(
        "details",
        { class: "data-table" },
        h("summary", {}, "Data table"),
        h("div", { class: "data-table-scroll", tabindex: 0, role: "region", "aria-label": `${name}, data` }),
      ),
    );
    this.#figures.push(figure);
    this.grid.append(figure);
    this.#observer.observe(figure);
  }

  #come(entries) {
    for (const { isIntersecting, target } of entries) {
      if (!isIntersecting) continue;
      this.#observer.unobserve(target);
      const place = Number(target.dataset.place);
      this.#charts[place] = new MetricChart(this.run, nameOf(place), this.run.view.custom_metrics.rows[place]);
      this.#charts[place].changed();
    }
  }
}

/** What a chart's figure is called: names of metrics are the scenario's, and may be anything. */
function nameOf(place) {
  return `custom-metric-${place}`;
}

function remembered() {
  try {
    return { true: true, false: false }[localStorage.getItem(KEY)] ?? null;
  } catch {
    return null;
  }
}

function remember(isOpen) {
  try {
    localStorage.setItem(KEY, String(isOpen));
  } catch {
    // Without storage the choice lasts as long as the page.
  }
}
