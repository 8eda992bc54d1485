// The run page: takes what the server rendered, then keeps it live.

import "./popovers.js";
import { address } from "./address.js";
import { ChangeUsers } from "./change_users.js";
import { Console } from "./console.js";
import { showCompleteness } from "./completeness.js";
import { ConsoleTables } from "./console_tables.js";
import { part } from "./dom.js";
import { Endpoints } from "./endpoints.js";
import { Generator } from "./generator.js";
import { searchErrors, showErrors } from "./errors.js";
import { patched } from "./json_patch.js";
import { Live } from "./live.js";
import { showLocalTimes } from "./local_times.js";
import { Overview } from "./overview.js";
import { keepForPrint } from "./print.js";
import { formatScope, windowOf } from "./scope.js";
import { ScopeBar } from "./scope_bar.js";
import { ScopeStrip } from "./scope_strip.js";
import { RunData, mostUsers } from "./series.js";
import { ShownScope } from "./shown_scope.js";
import { source } from "./source.js";
import { showMetrics } from "./metrics.js";
import { showThresholds } from "./thresholds.js";
import { setRunStart } from "./time_axis.js";
import { showNotices, showWarnings } from "./warnings.js";

const id = document.querySelector("[data-run]").dataset.run;
/** Log lines of the whole run that are kept while a part of it is shown; src/web/live/run_feed/log_tail.rs sends as many. */
const MAX_LINES_KEPT = 1_000;

/** The whole run, by events. */
const whole = { view: null, data: new RunData(), log: [], dropped: 0, over: false };
/** What the charts read: the part of the run that is shown. `window`: its seconds, if they are not all. */
const run = { id, view: null, about: null, data: whole.data, window: null, end: endOfRun, query };
if (source().narrows("window")) run.select = select;
const overview = new Overview();
/** Who only reads has no such control. */
const changeUsers = part("change-users") && new ChangeUsers(id);
const endpoints = new Endpoints();
const generator = new Generator(id, query);
const log = new Console(searchErrors, id);
const tables = new ConsoleTables(id, (text) => log.showTables(text), query);
/** What is in a file does not change. */
const live = source().isLive ? new Live({ run: take, change: followInfrastructure, gone: () => location.reload(), tick }) : null;
const bar = new ScopeBar({ change: (change) => shown.change(change), end: endOfRun });
const strip = new ScopeStrip({ select, preview: (window) => bar.preview(window) });
const shown = new ShownScope(id, {
  show: showScope,
  fail: (message) => bar.fail(message),
  busy: (isBusy) => bar.busy(isBusy),
  elapsed: () => (whole.over ? Infinity : run.about.time_elapsed_s),
});
let charts = [];
let more = null;
let metrics = null;
let hasData;
const firstData = new Promise((resolve) => (hasData = resolve));

/** Takes an event: a patch of the view, what was added to the growing parts, whether that was all. */
function take({ view, delta, over, generation }) {
  const before = whole.view;
  if (view) whole.view = patched(before, view);
  if (delta) {
    whole.data.apply(delta);
    whole.log = [...whole.log, ...delta.log].slice(-MAX_LINES_KEPT);
    whole.dropped = delta.log_lines_dropped;
  }
  run.about = whole.view.about;
  if (shown.isWhole) {
    // A part was shown until there was something of the whole run.
    if (run.view && run.data !== whole.data) return showScope(shown.scope, null);
    run.view = whole.view;
    if (view) showView(run.view, before ?? {}, generation);
    if (delta) log.append(delta.log, delta.log_lines_dropped);
    hasData();
  } else {
    if (run.view) {
      const before = run.view;
      run.view = withNews(before);
      showView(run.view, before, generation);
    }
    if (over && !whole.over) shown.ended();
    else shown.changed(generation);
  }
  whole.over = over;
  showPart();
  // Of a run that is over only this still changes: its infrastructure comes and goes.
  if (over) live?.follow({ front: true }, { quiet: true });
}

/** Shows a part of the run: with an answer of the server, the whole run with what is here of it (null), or as it was (undefined). */
function showScope(scope, answer) {
  if (answer === undefined) return bar.show(scope, run.view.phases);
  // It has not come yet.
  if (answer === null && !whole.view) return;
  const before = run.view ?? {};
  const isOther = JSON.stringify(scope) !== run.scope;
  run.scope = JSON.stringify(scope);
  run.window = windowOf(scope);
  if (answer === null) {
    run.view = whole.view;
    run.data = whole.data;
  } else {
    run.view = withNews(answer.view);
    run.data = new RunData();
    run.data.apply(answer.delta);
  }
  run.about = run.view.about;
  if (isOther) {
    log.restart(formatScope(scope));
    tables.renew();
  }
  showView(run.view, before);
  const { log: lines, log_lines_dropped: dropped } = answer?.delta ?? { log: whole.log, log_lines_dropped: whole.dropped };
  log.append(lines, dropped);
  hasData();
  showPart();
  if (isOther) bar.say(scope, run.view.cards.requests);
}

/** The view of a part with what is always of the whole run and of this moment. */
function withNews(view) {
  if (!whole.view) return view;
  const { about, notices, phases } = whole.view;
  return { ...view, about, notices, phases };
}

function showView(view, before, generation) {
  overview.show(view);
  changeUsers?.show(view.about);
  if (view.endpoints !== before.endpoints || view.aggregated !== before.aggregated) {
    endpoints.show(view.endpoints, view.aggregated, secondsShown());
    tables.changed(view, generation);
  }
  if (view.errors !== before.errors) showErrors(view.errors);
  if (view.thresholds !== before.thresholds) showThresholds(view.thresholds);
  if (view.custom_metrics !== before.custom_metrics) showMetrics(view.custom_metrics);
  if (view.notices !== before.notices) showNotices(view.notices);
  if (view.completeness !== before.completeness) showCompleteness(view.completeness);
  if (view.warnings !== before.warnings) showWarnings(view.warnings);
  if (view.generator !== before.generator) generator.show(view.generator);
}

/** How many seconds of the run are shown. */
function secondsShown() {
  const elapsed = run.about.time_elapsed_s;
  return run.window ? Math.max(0, Math.min(elapsed, run.window.to ?? elapsed) - run.window.from) : elapsed;
}

/** What depends on which part is shown. */
function showPart() {
  if (!run.view) return;
  overview.showWindow(run.window !== null, secondsShown(), mostUsers(run.data.points));
  bar.show(shown.scope, run.view.phases);
  bar.remark(run.view.remark);
  strip.show(shown.scope, whole.data.points, endOfRun());
  setRunStart(run.about.run_started_us);
  for (const chart of charts) chart.redraw();
  more?.redraw();
  metrics?.redraw();
}

/** Shows only these seconds. */
function select(window) {
  return shown.change(window);
}

/** Where what can be selected ends, in whole seconds of run time. */
function endOfRun() {
  return Math.ceil(run.about?.time_elapsed_s ?? 0);
}

/** The part that is shown as the end of an address. */
function query() {
  const text = formatScope(shown.scope);
  return text && `?${text}`;
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

const compareWith = part("compare-with");
if (compareWith) showLocalTimes(compareWith);

const first = source().initial();
if (first) {
  const takeWhole = ({ view, delta }) => take({ view: [view], delta, over: true });
  if (shown.isWhole) takeWhole(first);
  else {
    whole.over = true;
    showScope(shown.scope, first);
    shown.askForWhole().then((answer) => answer && takeWhole(answer));
  }
} else {
  live.follow({ runs: [id] });
  if (!shown.isWhole) shown.begin();
}

// The charting library is by far the largest part; everything else does not wait for it.
const [{ UsersChart }, { ThroughputChart }, { ResponsesChart }, { MoreCharts }, { MetricCharts }, { generatorCharts }] = await Promise.all([
  import("./chart_users.js"),
  import("./chart_throughput.js"),
  import("./chart_responses.js"),
  import("./charts_more.js"),
  import("./chart_metrics.js"),
  import("./chart_generator.js"),
]);
await firstData;
charts = [new UsersChart(run), new ThroughputChart(run), new ResponsesChart(run), ...generatorCharts(run)];
for (const chart of charts) chart.redraw();
more = new MoreCharts(run);
if (part("metric-charts")) metrics = new MetricCharts(run);
metrics?.redraw();
keepForPrint(() => [...charts, ...more.charts, ...(metrics?.made() ?? [])]);
