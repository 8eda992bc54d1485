// Percentiles over run time: of the response time, of that from the intended start beside it, or of the time to first byte.

import { points } from "./chart_data.js";
import { SourcedChart } from "./chart_sourced.js";
import { ChartSource } from "./chart_source.js";
import { ms } from "./format.js";

/** Those that can be chosen; the others the table of the console has, too. */
const CHOOSABLE = ["50%", "90%", "95%", "99%", "99.9%", "99.99%", "100%"];
const SHOWN_FIRST = ["50%", "95%", "99%"];
const EMPTY = {
  response: "",
  intended: "no request has an intended start",
  first_byte: "not measured",
};
const GAP = "gap to the response time";

export class PercentilesChart extends SourcedChart {
  #of = "response";
  #response;

  constructor(run) {
    super(run, "percentiles", {
      path: () => `/charts/percentiles?of=${this.#of}`,
      hasGaps: true,
      text: ms,
      unit: " ms",
      title: "Line chart of percentiles of response times",
    });
    this.menu.hideFirst(CHOOSABLE.filter((name) => !SHOWN_FIRST.includes(name)));
    this.#response = new ChartSource(run.id, {
      path: () => this.withScope("/charts/percentiles?of=response"),
      hasGaps: true,
      changed: () => this.redraw(),
    });
    this.buttons = [...this.figure.querySelectorAll("[data-of]")];
    for (const button of this.buttons) button.addEventListener("click", () => this.#choose(button.dataset.of));
  }

  #choose(of) {
    this.#of = of;
    for (const button of this.buttons) button.setAttribute("aria-pressed", String(button.dataset.of === of));
    this.seen(true);
    this.changed();
  }

  seen(isSeen) {
    super.seen(isSeen);
    this.#response.want(isSeen && this.#of === "intended");
  }

  changed() {
    this.#response?.stale();
    super.changed();
  }

  lines() {
    return super.lines().filter(({ name }) => CHOOSABLE.includes(name));
  }

  limits() {
    return super.limits().filter(({ of }) => of === this.#of);
  }

  remark() {
    const isEmpty = this.data() && this.lines().every(({ values }) => values.every((value) => value === null));
    return isEmpty ? EMPTY[this.#of] : "";
  }

  colour(line) {
    const { accent, good, warn, bad, muted, text, faint } = this.palette;
    return { "50%": good, "90%": muted, "95%": accent, "99%": warn, "99.9%": bad, "99.99%": text, "100%": faint }[line.name];
  }

  option() {
    const option = super.option();
    option.series.push(...this.#gap());
    return option;
  }

  /** What requests waited before they began: between the greatest percentile that is shown and that of the response time. */
  #gap() {
    const name = CHOOSABLE.findLast((other) => this.menu.isShown(other));
    const response = this.#of === "intended" && this.#response.data;
    if (!response || !name) return [];
    const find = (data) => data?.lines.find((line) => line.name === name);
    const [low, high] = [find(response), find(this.data())];
    if (!low || !high) return [];
    const lows = new Map(points(response, low));
    const both = points(this.data(), high).map(([second, value]) => [second, lows.get(second) ?? null, value]);
    const { warn, muted } = this.palette;
    const base = { type: "line", stack: "gap", symbol: "none", silent: true, z: 1 };
    return [
      {
        ...base,
        id: "response",
        name: `${name} of the response time`,
        data: both.map(([second, from]) => [second, from]),
        lineStyle: { color: muted, width: 1.2, type: [4, 3] },
        itemStyle: { color: muted },
      },
      {
        ...base,
        id: "gap",
        name: GAP,
        data: both.map(([second, from, to]) => [second, from === null || to === null ? null : Math.max(0, to - from)]),
        lineStyle: { width: 0 },
        itemStyle: { color: warn },
        areaStyle: { color: warn, opacity: 0.16 },
      },
    ];
  }
}
