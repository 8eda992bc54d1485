// The run page: takes what the server rendered, then keeps it live.

import { address } from "./address.js";
import { ChangeUsers } from "./change_users.js";
import { Console } from "./console.js";
import { showCompleteness } from "./completeness.js";
import { Endpoints } from "./endpoints.js";
import { Live } from "./live.js";
import { Overview } from "./overview.js";
import { RunData } from "./series.js";
import { showErrors } from "./errors.js";
import { showNotices, showWarnings } from "./warnings.js";

const id = document.querySelector("[data-run]").dataset.run;
const initial = JSON.parse(document.getElementById("initial").textContent);

/** What the charts read. */
const run = { about: initial.view.about, data: new RunData() };
const overview = new Overview();
const changeUsers = new ChangeUsers(id);
const endpoints = new Endpoints();
const log = new Console();
let charts = [];

function showView(view) {
  run.about = view.about;
  overview.show(view);
  changeUsers.show(view.about);
  endpoints.show(view.endpoints, view.aggregated);
  showErrors(view.errors);
  showNotices(view.notices);
  showCompleteness(view.completeness);
  showWarnings(view.warnings);
  log.showTables(view.console_tables);
}

function showDelta(delta) {
  run.data.apply(delta);
  log.append(delta.log, delta.log_lines_dropped);
  for (const chart of charts) chart.redraw();
}

showView(initial.view);
showDelta({ ...initial.delta, reset: true });
if (run.about.status === "Running") followRun();
else followInfrastructure();

function followRun() {
  new Live(address(`/api/v1/runs/${encodeURIComponent(id)}/events`), {
    view(view) {
      const wasRunning = run.about.status === "Running";
      showView(view);
      if (!wasRunning || view.about.status === "Running") return;
      for (const chart of charts) chart.redraw();
      followInfrastructure();
    },
    delta: showDelta,
  });
}

/** Of a run that is over only this still changes: its infrastructure comes and goes. */
function followInfrastructure() {
  let asked = Promise.resolve();
  const ask = async () => {
    const answer = await fetch(address("/api/v1/infrastructures"));
    if (!answer.ok) return;
    const { infrastructures } = await answer.json();
    const own = infrastructures.find(({ name }) => name === run.about.infrastructure);
    if (own) overview.showConnection(own.status);
  };
  // One after the other, so that an old answer never follows a new one. When the coordinator is away, the stream's
  // indicator says so, and there is a change when it is back.
  const change = () => (asked = asked.then(ask).catch(() => {}));
  new Live(address("/api/v1/events"), { change }, { quiet: true });
}

// The charting library is by far the largest part; everything else does not wait for it.
const [{ UsersChart }, { ThroughputChart }, { ResponsesChart }] = await Promise.all([
  import("./chart_users.js"),
  import("./chart_throughput.js"),
  import("./chart_responses.js"),
]);
charts = [new UsersChart(run), new ThroughputChart(run), new ResponsesChart(run)];
for (const chart of charts) chart.redraw();
