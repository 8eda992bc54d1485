// What the charts share whose data is not in the run's events: over run time, some lines of GET /api/v1/runs/{id}/charts/{chart}.

import { Chart, tip } from "./chart.js";
import { numbers, perSecond, points, rows } from "./chart_data.js";
import { ChartSource } from "./chart_source.js";
import { axisEnd, symbols } from "./series.js";
import { atTime } from "./time_axis.js";
import { isDark } from "./theme.js";

/** Hues of lines that mean nothing by themselves. */
const HUES = [226, 168, 276, 48, 196, 338, 142, 300, 18, 252, 90, 210];

/** The colour of a line by its place. */
export function lineColour(place) {
  return `hsl(${HUES[place % HUES.length]}, 62%, ${isDark() ? 64 : 46}%)`;
}

export class SourcedChart extends Chart {
  #query;
  #rates = { of: null, data: null };

  /** `run`: what the charts read, with its `id`. `path()`: what is asked for, below the run, without its scope. `hasGaps`: whether a
   * step without a value has none. `isRate`: whether counts are shown per second. `text`: how a value reads; `unit`: what follows it; `title`: what is shown, for screen readers. */
  constructor(run, name, { path, hasGaps, isRate = false, text, unit, title }) {
    super(name, {
      describe: () => `${title} over run time: ${this.lines().map((line) => line.name).join(", ") || "nothing yet"}.`,
      table: {
        columns: () => ["Run time (s)", ...this.lines().map((line) => line.name)],
        rows: () => (this.data() ? rows({ ...this.data(), lines: this.lines() }, text) : []),
      },
    });
    this.run = run;
    this.isRate = isRate;
    this.text = text;
    this.unit = unit;
    this.#query = () => run.query?.().slice(1) ?? "";
    this.source = new ChartSource(run.id, {
      path: () => this.withScope(path()),
      hasGaps,
      changed: () => this.redraw(),
    });
  }

  /** A path below the run with the scope that is shown. */
  withScope(path) {
    const query = this.#query();
    return query ? `${path}${path.includes("?") ? "&" : "?"}${query}` : path;
  }

  seen(isSeen) {
    this.source.want(isSeen);
  }

  /** The run or what is shown of it has changed. */
  changed() {
    this.source.stale();
    this.redraw();
  }

  /** What is shown; null before there is anything. */
  data() {
    const { data } = this.source;
    if (!this.isRate || !data) return data;
    if (this.#rates.of !== data) this.#rates = { of: data, data: perSecond(data) };
    return this.#rates.data;
  }

  isReady() {
    return this.source.isReady();
  }

  lines() {
    return this.data()?.lines ?? [];
  }

  fileTable() {
    const data = this.data();
    const columns = ["Run time (s)", ...this.lines().map((line) => this.column(line))];
    return { columns, rows: data ? numbers({ ...data, lines: this.lines() }) : [] };
  }

  /** What a line is called in a file. */
  column({ name }) {
    return name;
  }

  facts() {
    const { error } = this.source;
    const values = this.lines().reduce((sum, { values }) => sum + values.filter((value) => value !== null).length, 0);
    return { points: values, note: error ?? this.remark() };
  }

  /** What stands beside the title. */
  remark() {
    return "";
  }

  /** The colour of a line. */
  colour(_, place) {
    return lineColour(place);
  }

  /** A line as ECharts draws it. */
  line(line, place) {
    const color = this.colour(line, place);
    const data = points(this.data(), line);
    const isHeld = this.isHeld(line);
    return {
      id: line.name,
      name: line.name,
      type: "line",
      data,
      ...symbols(data, isHeld),
      symbolSize: 5,
      connectNulls: isHeld,
      step: isHeld ? "end" : false,
      itemStyle: { color },
      lineStyle: { color, width: 1.6 },
    };
  }

  /** Whether a line's value holds until there is another one. */
  isHeld() {
    return false;
  }

  axis() {
    return {};
  }

  option() {
    const { about } = this.run;
    const over = about.status !== "Running";
    const lines = this.lines();
    return {
      end: axisEnd(Math.max(this.data()?.end_s ?? 0, this.run.data.end()), about.duration_s, over),
      over,
      legend: { data: lines.map(({ name }) => name) },
      yAxis: { axisLabel: { formatter: (value) => `${value.toLocaleString("en")}${this.unit}` }, ...this.axis() },
      tooltip: { trigger: "axis", formatter: (items) => this.tip(items) },
      series: lines.map((line, place) => this.line(line, place)),
    };
  }

  tip(items) {
    const shown = items.filter(({ seriesName, value }) => this.menu.isShown(seriesName) && Array.isArray(value) && value[1] !== null);
    if (shown.length === 0) return "";
    return tip(
      atTime(shown[0].value[0]),
      shown.map(({ color, seriesName, value }) => [color, seriesName, this.text(value[1]) + this.unit]),
    );
  }
}

/** Lines of counts per second, on top of each other. */
export class StackedChart extends SourcedChart {
  line(line, place) {
    const drawn = super.line(line, place);
    return { ...drawn, stack: "all", areaStyle: { color: drawn.itemStyle.color, opacity: 0.22 }, lineStyle: { ...drawn.lineStyle, width: 1 } };
  }
}
