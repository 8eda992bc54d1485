// The page that compares runs: what the server wrote is complete; here it gets its charts, and a table that can be sorted.

import "./popovers.js";
import { CompareTable } from "./compare_table.js";
import { part } from "./dom.js";
import { showLocalTimes } from "./local_times.js";

showLocalTimes();

const data = document.getElementById("comparison");
if (data) await show(JSON.parse(data.textContent));

async function show({ runs, endpoint, window }) {
  new CompareTable();
  const comparison = {
    runs,
    endpoint,
    isSteady: false,
    /** Second of run time that a run's axis counts from. */
    since: (run) => (comparison.isSteady ? run.steady_from : 0),
    /** Compares these seconds of all runs; without any their steady state. */
    select: ({ from, to }) => {
      const seconds = from === undefined ? "" : `&from=${from}${to === null || to === undefined ? "" : `&to=${to}`}`;
      location.assign(window + seconds);
    },
  };
  // The charting library is by far the largest part; everything else does not wait for it.
  const [{ comparedCharts }, { ComparedCurve }, { keepForPrint }] = await Promise.all([
    import("./chart_compared.js"),
    import("./chart_compared_curve.js"),
    import("./print.js"),
  ]);
  const overTime = comparedCharts(comparison);
  const charts = [...overTime, new ComparedCurve(comparison)];
  for (const chart of charts) chart.redraw();
  keepForPrint(() => charts);
  const align = part("align");
  align.hidden = runs.some((run) => run.steady_from === null);
  for (const button of align.querySelectorAll("button"))
    button.addEventListener("click", () => {
      comparison.isSteady = button.dataset.align === "steady";
      for (const other of align.querySelectorAll("button")) other.setAttribute("aria-pressed", String(other === button));
      part("drag-hint").hidden = comparison.isSteady;
      for (const chart of overTime) chart.redraw();
    });
}
