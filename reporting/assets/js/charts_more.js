// "More charts": made when they are opened, asked for when they are seen.

import { DistributionChart } from "./chart_distribution.js";
import { PercentilesChart } from "./chart_percentiles.js";
import { SourcedChart, StackedChart } from "./chart_sourced.js";
import { part } from "./dom.js";
import { count, rate } from "./format.js";

const KEY = "greylag-more-charts";

/** Requests by status code. */
class StatusesChart extends StackedChart {
  constructor(run) {
    super(run, "statuses", {
      path: () => "/charts/statuses",
      hasGaps: false,
      isRate: true,
      text: rate,
      unit: "/s",
      title: "Stacked chart of requests per second by status code",
    });
  }

  colour({ name }, place) {
    const { good, accent, warn, bad, muted, faint } = this.palette;
    const plain = { "200": good, "no answer": bad, "not measured": faint, others: muted }[name];
    if (plain) return plain;
    if (name.startsWith("4") && place < 3) return warn;
    if (name.startsWith("3") && place < 3) return accent;
    return super.colour({ name }, place);
  }
}

/** Errors by text. */
class ErrorsChart extends StackedChart {
  constructor(run) {
    super(run, "errors", {
      path: () => "/charts/errors",
      hasGaps: false,
      isRate: true,
      text: rate,
      unit: "/s",
      title: "Stacked chart of errors per second by kind",
    });
  }

  remark() {
    return this.source.data && this.lines().length === 0 ? "no errors" : "";
  }
}

/** Requests of each agent. */
class AgentRequestsChart extends SourcedChart {
  constructor(run) {
    super(run, "agent-requests", {
      path: () => "/charts/agent-requests",
      hasGaps: false,
      isRate: true,
      text: rate,
      unit: "/s",
      title: "Line chart of requests per second of each agent",
    });
  }
}

/** Users of each agent. */
class AgentUsersChart extends StackedChart {
  constructor(run) {
    super(run, "agent-users", {
      path: () => "/charts/agent-users",
      hasGaps: false,
      text: count,
      unit: "",
      title: "Stacked chart of the users of each agent",
    });
  }
}

/** Iterations of an arrival rate. */
class ArrivalsChart extends SourcedChart {
  constructor(run) {
    super(run, "arrivals", {
      path: () => "/charts/arrivals",
      hasGaps: false,
      isRate: true,
      text: rate,
      unit: "/s",
      title: "Line chart of iterations per second",
    });
  }

  colour({ name }) {
    const { good, accent, warn, bad, muted } = this.palette;
    return { planned: muted, started: good, late: warn, skipped: bad }[name] ?? accent;
  }

  line(line, place) {
    const drawn = super.line(line, place);
    return line.name === "planned" ? { ...drawn, lineStyle: { ...drawn.lineStyle, type: [4, 4] } } : drawn;
  }
}

export class MoreCharts {
  charts = [];

  constructor(run) {
    this.run = run;
    this.details = part("more-charts");
    this.details.addEventListener("toggle", () => {
      this.#remember();
      this.#make();
    });
    if (remembered()) this.details.open = true;
    this.#make();
  }

  #make() {
    if (!this.details.open || this.charts.length > 0) return;
    const { run } = this;
    this.charts = [
      new PercentilesChart(run),
      new DistributionChart(run),
      new StatusesChart(run),
      new ErrorsChart(run),
      new AgentRequestsChart(run),
      new AgentUsersChart(run),
      new ArrivalsChart(run),
    ];
    this.redraw();
  }

  /** The run or what is shown of it has changed. */
  redraw() {
    for (const chart of this.charts) chart.changed();
    // Users without an arrival rate have none.
    const arrivals = this.charts.at(-1);
    if (arrivals) arrivals.figure.hidden = !this.run.view?.cards.arrivals;
  }

  #remember() {
    try {
      localStorage.setItem(KEY, String(this.details.open));
    } catch {
      // Without storage the choice lasts as long as the page.
    }
  }
}

function remembered() {
  try {
    return localStorage.getItem(KEY) === "true";
  } catch {
    return false;
  }
}
