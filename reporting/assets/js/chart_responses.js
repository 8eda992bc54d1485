// Response Time Distribution: single requests, coloured by request name and outcome. Successes take hues that cannot be
// mistaken for red, failures a red each and another shape, so that colour is not the only sign.

import { Chart, tip } from "./chart.js";
import { FAILURE } from "./chart_words.js";
import { dotAt } from "./dot_choice.js";
import { DotPanel } from "./dot_panel.js";
import { EndpointColours, busiest } from "./endpoint_colours.js";
import { count, ms } from "./format.js";
import { atTime } from "./time_axis.js";
import { axisEnd, groupSamples, oneIn } from "./series.js";
import { isDark } from "./theme.js";

const SCALE_KEY = "greylag-response-scale";
/** Endpoints with a colour of their own: the busiest. Who that is is looked at now and then, because the chart is made anew
 * when it changes. */
const MAX_NAMED = 20;
const NAMED_AGAIN_MS = 30_000;
const LEAST_MS = 0.01;
/** Above this many dots of one kind ECharts draws them in one sweep. */
const LARGE = 500;

/** Logarithmic unless the reader chose otherwise: healthy answers and outliers are often a factor of a thousand apart. */
function remembered() {
  try {
    return localStorage.getItem(SCALE_KEY);
  } catch {
    return null;
  }
}

export class ResponsesChart extends Chart {
  #log = remembered() !== "linear";
  #named = { of: -1, list: [] };
  #colours = new EndpointColours();
  #namedAt = 0;

  constructor(run) {
    super("response-time-distribution", {
      describe: () =>
        `Scatter plot of response times over run time: ${count(run.data.samples.length)} of ${count(run.data.samplesOf)} requests shown, ${count(run.data.samples.filter((sample) => sample.failed).length)} of them failures. Arrow keys choose one, Enter shows all that is known of it.`,
      table: {
        columns: ["Run time (s)", "Response time (ms)", "Endpoint", "Outcome"],
        texts: [2, 3],
        rows: () =>
          run.data.samples.map((sample) => [
            sample.at_s.toFixed(2),
            ms(sample.response_ms),
            `${sample.method} ${sample.name}`,
            sample.failed ? "Failure" : "Success",
          ]),
      },
    });
    this.run = run;
    this.panel = new DotPanel({
      id: document.querySelector("[data-run]").dataset.run,
      canvas: this.canvas,
      dots: () => run.data.samples,
      place: (dot) => this.#place(dot),
    });
    this.chart.on("click", ({ componentType, seriesName, value }) => {
      if (componentType !== "series" || !value) return;
      const dot = dotAt(run.data.samples, value, this.#log ? LEAST_MS : 0, seriesName.endsWith(FAILURE));
      if (dot) this.panel.open(dot);
    });
    this.chart.on("rendered", () => this.panel.moved());
    for (const button of this.figure.querySelectorAll("[data-scale]")) {
      button.addEventListener("click", () => this.#scale(button.dataset.scale));
    }
    this.#press();
  }

  #scale(scale) {
    this.#log = scale === "log";
    try {
      localStorage.setItem(SCALE_KEY, scale);
    } catch {
      // Without storage the choice lasts as long as the page.
    }
    this.#press();
    this.redraw();
  }

  #press() {
    for (const button of this.figure.querySelectorAll("[data-scale]")) {
      button.setAttribute("aria-pressed", String((button.dataset.scale === "log") === this.#log));
    }
  }

  /** Where a dot is drawn, if it is. */
  #place({ at_s: at, response_ms: time }) {
    const point = [at, this.#log ? Math.max(time, LEAST_MS) : time];
    const pixels = this.chart.convertToPixel({ gridIndex: 0 }, point);
    return pixels && this.chart.containPixel({ gridIndex: 0 }, pixels) ? pixels : null;
  }

  facts() {
    const { samples, samplesOf } = this.run.data;
    const shown = `${count(samples.length)} of ${count(samplesOf)} requests shown`;
    return { points: samples.length, note: shown + this.#sampling() };
  }

  /** How likely a request is shown, so that dots can be compared. */
  #sampling() {
    const { samples, shares } = this.run.data;
    if (shares.drawn > 0.999) return "";
    const extra = samples.some((sample) => sample.extra);
    const ofFailures = shares.failed > 1.05 * shares.drawn && extra ? `, failures ${oneIn(shares.failed)}` : "";
    return `: ${oneIn(shares.drawn)}${ofFailures}${extra ? " (hollow: kept in addition)" : ""}`;
  }

  option() {
    const { about, data } = this.run;
    const groups = groupSamples(data.samples, this.#endpoints());
    const series = groups.map((group) => this.#series(group));
    const names = new Map(series.map(({ name, symbol }) => [name, symbol.replace(/^empty(.)/, (_, c) => c.toLowerCase())]));
    const least = data.samples.reduce((low, sample) => Math.min(low, Math.max(sample.response_ms, LEAST_MS)), Infinity);
    const over = about.status !== "Running";
    return {
      end: axisEnd(data.end(), about.duration_s, over),
      over,
      legend: { data: [...names].map(([name, icon]) => ({ name, icon })) },
      yAxis: {
        type: this.#log ? "log" : "value",
        min: this.#log ? 10 ** Math.floor(Math.log10(Number.isFinite(least) ? least : 1)) : 0,
        max: this.#axisTop(data.samples),
        splitLine: { showMaxLine: !this.#log, lineStyle: { color: this.palette.grid } },
        axisLabel: { showMaxLabel: !this.#log, formatter: (value) => `${value.toLocaleString("en")} ms` },
      },
      grid: { top: 46 },
      tooltip: { trigger: "item", formatter: (item) => this.#tip(item) },
      series,
    };
  }

  /** ECharts would extend to the next power of ten, which leaves most of the chart empty. */
  #axisTop(samples) {
    if (samples.length === 0) return 1_000;
    return this.#log ? samples.reduce((most, sample) => Math.max(most, sample.response_ms), 10 * LEAST_MS) * 1.4 : null;
  }

  #series({ method, name, failed, extra, points }) {
    const label = `${method} ${name}`.trim() + (failed ? FAILURE : "");
    const dots = this.#log ? points.map(([at, time]) => [at, Math.max(time, LEAST_MS)]) : points;
    return {
      id: JSON.stringify([method, name, failed, extra]),
      name: label,
      type: "scatter",
      data: dots,
      animation: false,
      symbol: extra ? (failed ? "emptyTriangle" : "emptyCircle") : failed ? "triangle" : "circle",
      symbolSize: failed ? 6 : 5,
      z: failed ? 3 : 2,
      large: points.length > LARGE,
      largeThreshold: LARGE,
      itemStyle: { color: this.#colour(method, name, failed), opacity: failed ? 0.8 : 0.55 },
      emphasis: { scale: 1.6, itemStyle: { opacity: 1 } },
    };
  }

  /** The endpoints that have colors of their own. */
  #endpoints() {
    const { endpoints } = this.run.view;
    const isOld = performance.now() - this.#namedAt > NAMED_AGAIN_MS;
    if (isOld || endpoints.length !== this.#named.of) {
      this.#named = { of: endpoints.length, list: busiest(endpoints, MAX_NAMED) };
      this.#namedAt = performance.now();
      // Anew, so that colours do not depend on the order in which the endpoints appeared.
      this.#colours = new EndpointColours();
      this.#colours.add(this.#named.list);
    }
    return this.#named.list;
  }

  #colour(method, name, failed) {
    if (method === "" && !failed) return this.palette.muted;
    const { hue, round } = this.#colours.of(method, name, failed);
    const lightness = (isDark() ? 64 : 46) + round * (isDark() ? 8 : -9);
    return `hsl(${hue}, ${failed ? 74 : 62}%, ${lightness}%)`;
  }

  #tip({ seriesName, color, value }) {
    if (!value) return "";
    return tip(atTime(value[0]), [[color, seriesName, `${ms(value[1])} ms`]]);
  }
}
