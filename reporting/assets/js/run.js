// The run page: takes what the server rendered, then keeps it live.

import { Console } from "./console.js";
import { Endpoints } from "./endpoints.js";
import { Live } from "./live.js";
import { Overview } from "./overview.js";
import { RunData } from "./series.js";
import { showErrors } from "./errors.js";

const id = document.querySelector("[data-run]").dataset.run;
const initial = JSON.parse(document.getElementById("initial").textContent);

/** What the charts read. */
const run = { about: initial.view.about, data: new RunData() };
const overview = new Overview();
const endpoints = new Endpoints();
const log = new Console();
let charts = [];
let live = null;

function showView(view) {
  run.about = view.about;
  overview.show(view);
  endpoints.show(view.endpoints, view.aggregated);
  showErrors(view.errors);
  log.showTables(view.console_tables);
}

function showDelta(delta) {
  run.data.apply(delta);
  log.append(delta.log, delta.log_lines_dropped);
  for (const chart of charts) chart.redraw();
}

showView(initial.view);
showDelta({ ...initial.delta, reset: true });
// A run that is over has nothing to follow: the server sent all of it.
if (run.about.status === "Running")
  live = new Live(`/api/v1/runs/${encodeURIComponent(id)}/events`, {
    view(view) {
      const wasRunning = run.about.status === "Running";
      showView(view);
      if (wasRunning && view.about.status !== "Running") for (const chart of charts) chart.redraw();
    },
    delta: showDelta,
  });

// The charting library is by far the largest part; everything else does not wait for it.
const [{ UsersChart }, { ThroughputChart }, { ResponsesChart }] = await Promise.all([
  import("./chart_users.js"),
  import("./chart_throughput.js"),
  import("./chart_responses.js"),
]);
charts = [new UsersChart(run), new ThroughputChart(run), new ResponsesChart(run)];
for (const chart of charts) chart.redraw();
