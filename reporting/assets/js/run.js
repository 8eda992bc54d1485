// The run page: takes what the server rendered, then keeps it live.

import "./popovers.js";
import { address } from "./address.js";
import { ChangeUsers } from "./change_users.js";
import { Console } from "./console.js";
import { showCompleteness } from "./completeness.js";
import { ConsoleTables } from "./console_tables.js";
import { part } from "./dom.js";
import { Endpoints } from "./endpoints.js";
import { searchErrors, showErrors } from "./errors.js";
import { patched } from "./json_patch.js";
import { Live } from "./live.js";
import { Overview } from "./overview.js";
import { keepForPrint } from "./print.js";
import { RunData } from "./series.js";
import { showNotices, showWarnings } from "./warnings.js";

const id = document.querySelector("[data-run]").dataset.run;

/** What the charts read. */
const run = { view: null, about: null, data: new RunData() };
const overview = new Overview();
/** Who only reads has no such control. */
const changeUsers = part("change-users") && new ChangeUsers(id);
const endpoints = new Endpoints();
const log = new Console(searchErrors);
const tables = new ConsoleTables(id, (text) => log.showTables(text));
const live = new Live({ run: take, change: followInfrastructure, gone: () => location.reload(), tick });
let charts = [];
let hasData;
const firstData = new Promise((resolve) => (hasData = resolve));

/** Takes an event: a patch of the view, what was added to the growing parts, whether that was all. */
function take({ view, delta, over, generation }) {
  const before = run.view;
  if (view) run.view = patched(before, view);
  run.about = run.view.about;
  if (view) showView(run.view, before ?? {}, generation);
  if (delta) {
    run.data.apply(delta);
    log.append(delta.log, delta.log_lines_dropped);
  }
  hasData();
  for (const chart of charts) chart.redraw();
  // Of a run that is over only this still changes: its infrastructure comes and goes.
  if (over) live.follow({ front: true }, { quiet: true });
}

function showView(view, before, generation) {
  overview.show(view);
  changeUsers?.show(view.about);
  if (view.endpoints !== before.endpoints || view.aggregated !== before.aggregated) {
    endpoints.show(view.endpoints, view.aggregated);
    tables.changed(view, generation);
  }
  if (view.errors !== before.errors) showErrors(view.errors);
  if (view.notices !== before.notices) showNotices(view.notices);
  if (view.completeness !== before.completeness) showCompleteness(view.completeness);
  if (view.warnings !== before.warnings) showWarnings(view.warnings);
}

function tick() {
  overview.tick(live.knownUntil);
}

let asked = Promise.resolve();

/** One after the other, so that an old answer never follows a new one. When the coordinator is away, the indicator says
 * so, and there is a change when it is back. */
function followInfrastructure() {
  const ask = async () => {
    const answer = await fetch(address("/api/v1/infrastructures?agents=false"));
    if (!answer.ok) return;
    const { infrastructures } = await answer.json();
    const own = infrastructures.find(({ name }) => name === run.about.infrastructure);
    if (own) overview.showConnection(own.status);
  };
  asked = asked.then(ask).catch(() => {});
}

const initial = document.getElementById("initial");
if (initial) {
  const { view, delta } = JSON.parse(initial.textContent);
  take({ view: [view], delta, over: true });
} else live.follow({ runs: [id] });

// The charting library is by far the largest part; everything else does not wait for it.
const [{ UsersChart }, { ThroughputChart }, { ResponsesChart }] = await Promise.all([
  import("./chart_users.js"),
  import("./chart_throughput.js"),
  import("./chart_responses.js"),
]);
await firstData;
charts = [new UsersChart(run), new ThroughputChart(run), new ResponsesChart(run)];
for (const chart of charts) chart.redraw();
keepForPrint(charts);
