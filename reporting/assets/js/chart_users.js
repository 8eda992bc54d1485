// Active Users: what was there, over the load profile that was planned.

import { Chart, tip } from "./chart.js";
import { count } from "./format.js";
import { atTime } from "./time_axis.js";
import { idealLine } from "./load_profile.js";
import { axisEnd, mostUsers, symbols, userPoints } from "./series.js";

export class UsersChart extends Chart {
  constructor(run) {
    super("active-users", {
      describe: () =>
        `Line chart of active users over run time: ${count(run.about.users)} planned, at most ${count(mostUsers(run.data.points))} so far.`,
      table: {
        columns: ["Run time (s)", "Active Users"],
        rows: () => run.data.points.map((point) => [point.second, count(point.users)]),
      },
    });
    this.run = run;
  }

  facts() {
    const { about, data } = this.run;
    return { points: data.points.length, note: `peak ${count(mostUsers(data.points))} of ${count(about.users)}` };
  }

  option() {
    const { about, data } = this.run;
    const over = about.status !== "Running";
    const end = axisEnd(data.end(), about.duration_s, over);
    const p = this.palette;
    const points = userPoints(data.points);
    return {
      end,
      over,
      legend: { show: false },
      grid: { top: 16 },
      yAxis: {
        splitLine: { showMaxLine: false, lineStyle: { color: p.grid } },
        max: (range) => Math.max(range.max, about.users) * 1.06,
        minInterval: 1,
        axisLabel: { showMaxLabel: false, formatter: count },
      },
      tooltip: { trigger: "axis", formatter: (items) => this.#tip(items) },
      series: [
        {
          id: "planned",
          name: "Planned",
          type: "line",
          data: idealLine(about.profile, end),
          symbol: "none",
          silent: true,
          z: 1,
          animation: false,
          lineStyle: { color: p["line-strong"], width: 1.2, type: [4, 4] },
        },
        {
          id: "users",
          name: "Active Users",
          type: "line",
          data: points,
          ...symbols(points),
          symbolSize: 5,
          z: 2,
          sampling: "lttb",
          itemStyle: { color: p.accent },
          lineStyle: { color: p.accent, width: 2, cap: "round" },
          areaStyle: { color: p.accent, opacity: 0.09 },
        },
      ],
    };
  }

  #tip(items) {
    const item = items.find(({ seriesId }) => seriesId === "users");
    if (!item) return "";
    return tip(atTime(item.value[0]), [[this.palette.accent, "Active Users", count(item.value[1])]]);
  }
}
