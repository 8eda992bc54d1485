// Total Requests Per Second: Request Per Second in green, Errors/sec in red.

import { Chart, tip } from "./chart.js";
import { rate } from "./format.js";
import { atTime } from "./time_axis.js";
import { axisEnd, rateOf, ratePoints, symbols } from "./series.js";

const REQUESTS = "Request Per Second";
const ERRORS = "Errors/sec";
const LEFT_OUT = "left out";

export class ThroughputChart extends Chart {
  constructor(run) {
    super("total-requests-per-second", {
      describe: () => {
        const last = run.data.points.at(-1);
        const now = last
          ? `; ${rate(rateOf(last, "requests") ?? 0)} requests and ${rate(rateOf(last, "failures") ?? 0)} errors per second at its end`
          : "";
        return `Line chart of requests per second (green) and errors per second (red) over run time${now}.`;
      },
      table: {
        columns: ["Run time (s)", REQUESTS, ERRORS],
        rows: () =>
          run.data.points.map((point) => [
            point.second,
            rateText(point, "requests"),
            rateText(point, "failures"),
          ]),
      },
    });
    this.run = run;
  }

  #most() {
    return this.run.data.points.reduce((top, point) => Math.max(top, rateOf(point, "requests") ?? 0), 0);
  }

  facts() {
    const most = this.#most();
    return { points: this.run.data.points.length, note: most > 0 ? `peak ${rate(most)}` : "" };
  }

  option() {
    const { about, data } = this.run;
    const p = this.palette;
    const most = this.#most();
    const line = (id, name, key, colour, type, area) => {
      const points = ratePoints(data.points, key);
      return {
        id,
        name,
        type: "line",
        data: points,
        ...symbols(points),
        symbolSize: 5,
        sampling: "lttb",
        itemStyle: { color: colour },
        lineStyle: { color: colour, width: 1.8, type, cap: "butt" },
        areaStyle: { color: colour, opacity: area },
      };
    };
    const over = about.status !== "Running";
    return {
      end: axisEnd(data.end(), about.duration_s, over),
      over,
      legend: { data: [REQUESTS, ERRORS] },
      yAxis: { max: most > 0 ? null : 10, axisLabel: { formatter: rateLabel } },
      tooltip: { trigger: "axis", formatter: (items) => this.#tip(items) },
      // Where all requests fail both lines are one: the green one shows between the red one's dashes.
      series: [
        line("requests", REQUESTS, "requests", p.good, "solid", 0.07),
        line("errors", ERRORS, "failures", p.bad, [7, 5], 0.05),
      ],
    };
  }

  #tip(items) {
    if (!items.length) return "";
    return tip(
      atTime(items[0].value[0]),
      items.map((item) => [item.color, item.seriesName, item.value[1] === null ? LEFT_OUT : rate(item.value[1])]),
    );
  }
}

function rateText(point, key) {
  const value = rateOf(point, key);
  return value === null ? LEFT_OUT : rate(value);
}

function rateLabel(value) {
  return Number.isInteger(value) ? value.toLocaleString("en") : String(value);
}
