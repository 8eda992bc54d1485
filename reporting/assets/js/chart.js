// What the charts share: ECharts set-up, colours by theme, tooltips built from elements (never HTML text: names
// come from the target, and inline styles in HTML are forbidden by the page's policy), windows, accessible names.

import * as echarts from "../vendor/echarts/echarts.esm.min.js";
import { colours, onThemeChange } from "./theme.js";
import { h, setAttribute, setText } from "./dom.js";
import { axisStep } from "./series.js";
import { ChartMenu } from "./chart_menu.js";
import { clipped, described, limited, markLetters } from "./chart_words.js";
import { ChartWindow } from "./chart_window.js";
import { DataTable } from "./data_table.js";
import { axisTime, onTimeAxisChange } from "./time_axis.js";

const GROUP = "run";
echarts.connect(GROUP);
const PX_PER_MARK = 76;
/** Sharper canvases cost more than they show. */
const MAX_PIXEL_RATIO = 2;
const NAMES = ["accent", "good", "bad", "warn", "text", "muted", "faint", "line", "line-strong", "grid", "raised", "surface", "run-1", "run-2", "run-3", "run-4", "run-5"];
const reducedMotion = matchMedia("(prefers-reduced-motion: reduce)");

export class Chart {
  #frame = 0;
  #isSeen = false;
  #isStale = true;
  /** What the last whole option was made for; null when the next one must be whole. */
  #structure = null;

  /** `name`: value of `data-chart`. `describe()`: a description for screen readers. `table`: {columns, rows()}. A chart that is
   * over something else than run time has no part in the crosshair, and nothing to select. */
  constructor(name, { describe, table, isOverTime = true }) {
    this.name = name;
    this.figure = document.querySelector(`[data-chart="${name}"]`);
    this.canvas = this.figure.querySelector(".chart-canvas");
    this.note = this.figure.querySelector('[data-role="note"]');
    this.describe = describe;
    this.table = new DataTable(this.figure.querySelector(".data-table"), table);
    const devicePixelRatio = Math.min(window.devicePixelRatio, MAX_PIXEL_RATIO);
    this.chart = echarts.init(this.canvas, null, { renderer: "canvas", devicePixelRatio });
    // Before it is drawn it can be asked where something is, and says that it is nowhere.
    this.chart.setOption({});
    this.menu = new ChartMenu(this, () => this.#redrawWhole());
    new ResizeObserver(() => {
      this.chart.resize();
      this.#redrawWhole();
    }).observe(this.canvas);
    new IntersectionObserver((entries) => {
      const wasSeen = this.#isSeen;
      this.#isSeen = entries.at(-1).isIntersecting;
      if (isOverTime && wasSeen !== this.#isSeen) this.#join(this.#isSeen);
      this.seen(this.#isSeen);
      if (this.#isSeen && this.#isStale) this.redraw();
    }).observe(this.canvas);
    // On paper everything is in view.
    addEventListener("beforeprint", () => this.#isStale && this.#draw());
    onThemeChange(() => this.#redrawWhole());
    onTimeAxisChange(() => this.#redrawWhole());
    // A subclass has its run only later.
    if (isOverTime) new ChartWindow(this.chart, this.canvas, () => this.run ?? {});
  }

  /** Called by a subclass once it can draw. */
  option() {
    throw new Error("a chart says what it draws");
  }

  /** Moments to mark: [{second, label}]. */
  marks() {
    return this.run?.view?.marks ?? [];
  }

  /** Limits of thresholds, as lines across: [{at, label}]. */
  limits() {
    const lines = this.run?.view?.thresholds?.lines ?? [];
    return lines.filter(({ chart }) => chart === this.name);
  }

  /** It has come into view, or has left it. */
  seen() {}

  /** Has a part in the crosshair, which every chart that has one draws at each move of the pointer: only those in view do. */
  #join(isSeen) {
    this.chart.group = isSeen ? GROUP : "";
    if (isSeen) return;
    // What the pointer left in it would stay, because it hears of no further move.
    this.chart.dispatchAction({ type: "hideTip" });
    this.chart.dispatchAction({ type: "updateAxisPointer", currTrigger: "leave" });
  }

  /** Whether it has what it shows, which may have to be asked for. */
  isReady() {
    return true;
  }

  /** Called by a subclass with what stands beside the picture: {points, note}. */
  facts() {
    throw new Error("a chart says what it shows");
  }

  /** Draws at most once a frame, and not while the page is hidden (the browser gives no frames then). A chart out of
   * view is drawn when it comes into view. */
  redraw() {
    this.#isStale = true;
    if (this.#frame) return;
    this.#frame = requestAnimationFrame(() => {
      this.#frame = 0;
      const { points, note } = this.facts();
      setAttribute(this.figure, "data-points", points);
      setText(this.note, note);
      setAttribute(this.canvas, "aria-label", this.describe() + described(this.marks()) + limited(this.limits()));
      this.table.refresh();
      if (this.#isSeen) this.#draw();
    });
  }

  /** What a file with the chart is called, without its ending. */
  fileName() {
    return this.name;
  }

  /** What a file with its numbers has: {columns, rows}. */
  fileTable() {
    return { columns: this.table.columnNames(), rows: this.table.rows() };
  }

  #redrawWhole() {
    this.#structure = null;
    this.redraw();
  }

  /** The chart as the address of a picture, in the theme of this moment: so wide, with so many dots to a pixel. */
  picture(width, dots) {
    this.chart.resize({ width, height: this.canvas.clientHeight });
    this.#structure = null;
    this.#draw();
    const picture = this.chart.getDataURL({ pixelRatio: dots, backgroundColor: this.palette.surface });
    this.chart.resize({ width: "auto", height: "auto" });
    this.#redrawWhole();
    return picture;
  }

  #draw() {
    this.#isStale = false;
    this.palette = colours(NAMES);
    const own = this.option();
    const names = own.legend?.data?.map((entry) => entry.name ?? entry) ?? [];
    this.menu.setNames(names);
    own.legend = { ...own.legend, selected: this.menu.selected(names) };
    const marks = this.marks();
    const limits = this.limits();
    own.series.push(this.#markSeries(marks, limits));
    const series = own.series.map(({ id, large }) => [id, large]);
    const moments = marks.filter(({ to }) => to === undefined);
    const structure = JSON.stringify([own.over, own.yAxis.type, own.xAxis, series, moments, limits, own.legend.selected]);
    Object.assign(own, shownTime(this.run?.window, own));
    if (structure === this.#structure) this.chart.setOption(this.#changing(own));
    else this.chart.setOption(this.#whole(own), { replaceMerge: ["series"] });
    this.#structure = structure;
  }

  /** What is new each second; the rest stays as it was set. */
  #changing({ start, end, yAxis: { max, min = 0 }, series }) {
    return {
      ...(end === undefined ? {} : { xAxis: { min: start, max: end, interval: this.#interval(end - start) } }),
      yAxis: { min, max },
      series: series.map(({ id, data, showSymbol, symbol, markArea }) => ({
        id,
        data,
        ...(showSymbol === undefined ? {} : { showSymbol, symbol }),
        ...(markArea ? { markArea } : {}),
      })),
    };
  }

  /** Lines up the chart, each with its label along it, so that a narrow chart has room for it; stretches are shaded. Limits are
   * lines across it, where its values come near them: an axis that reached farther would hide what is measured. */
  #markSeries(marks, limits) {
    const { warn, bad, surface } = this.palette;
    const letters = markLetters(this.canvas.clientHeight);
    const across = limits.map(({ at, label }) => ({
      yAxis: at,
      name: clipped(label),
      lineStyle: { color: bad, width: 1.2, type: [6, 3] },
      label: { color: bad, position: "insideStartTop" },
    }));
    const label = {
      show: true,
      formatter: "{b}",
      position: "insideEndTop",
      distance: 3,
      color: warn,
      backgroundColor: surface,
      padding: [1, 3],
      fontSize: 11,
    };
    return {
      id: "marks",
      type: "line",
      data: [],
      silent: true,
      markLine: {
        silent: true,
        animation: false,
        symbol: "none",
        label,
        lineStyle: { color: warn, width: 1.2, type: [3, 3] },
        data: marks
          .filter(({ to }) => to === undefined)
          .map(({ second, label }) => ({ xAxis: second, name: clipped(label, letters) }))
          .concat(across),
      },
      markArea: {
        silent: true,
        animation: false,
        itemStyle: { color: warn, opacity: 0.16 },
        data: marks.filter(({ to }) => to !== undefined).map(({ second, to }) => [{ xAxis: second }, { xAxis: to }]),
      },
    };
  }

  #interval(seconds) {
    return axisStep(seconds, this.canvas.clientWidth / PX_PER_MARK);
  }

  #whole(own) {
    const p = this.palette;
    const label = { color: p.faint, fontSize: 11, fontFamily: getComputedStyle(document.body).fontFamily };
    return {
      // An animated second is drawn sixty times.
      animation: false,
      textStyle: { fontFamily: label.fontFamily },
      grid: {
        left: 8,
        right: 14,
        top: own.legend?.top === undefined ? 34 : 40,
        bottom: 8,
        containLabel: true,
        ...own.grid,
      },
      legend: {
        top: 2,
        left: 4,
        itemWidth: 10,
        itemHeight: 10,
        itemGap: 14,
        icon: "roundRect",
        type: "scroll",
        textStyle: { ...label, color: p.muted, fontSize: 12, lineHeight: 18 },
        formatter: (name) => clipped(name),
        inactiveColor: p["line-strong"],
        pageIconColor: p.muted,
        pageIconInactiveColor: p["line-strong"],
        pageIconSize: 10,
        pageTextStyle: label,
        ...own.legend,
      },
      tooltip: {
        confine: true,
        transitionDuration: reducedMotion.matches ? 0 : 0.12,
        backgroundColor: p.raised,
        borderColor: p["line-strong"],
        borderWidth: 1,
        padding: [8, 10],
        ...own.tooltip,
      },
      xAxis: {
        type: "value",
        min: own.start,
        max: own.end,
        interval: this.#interval(own.end - own.start),
        axisLine: { lineStyle: { color: p.line } },
        axisTick: { show: false },
        splitLine: { show: false },
        axisPointer: { lineStyle: { color: p["line-strong"], type: "solid" }, label: { show: false } },
        ...own.xAxis,
        axisLabel: { ...label, hideOverlap: true, alignMaxLabel: "right", showMaxLabel: own.over, formatter: axisTime, ...own.xAxis?.axisLabel },
      },
      yAxis: {
        min: 0,
        axisLine: { show: false },
        axisTick: { show: false },
        splitLine: { lineStyle: { color: p.grid } },
        axisPointer: { show: false },
        ...own.yAxis,
        axisLabel: { ...label, ...own.yAxis?.axisLabel },
      },
      series: own.series,
    };
  }
}

/** Which seconds are shown: those of the window that is chosen, if one is. */
function shownTime(window, { end, over }) {
  if (!window) return { start: 0, end };
  const last = Math.max(end, window.from + 1);
  const to = window.to ?? last;
  return { start: window.from, end: over ? Math.min(to, last) : to };
}

/** The content of a tooltip: a title and rows of [colour, name, value]. */
export function tip(title, rows) {
  const list = rows.map(([colour, name, value]) => {
    const swatch = h("i", { class: "tip-swatch" });
    swatch.style.background = colour;
    return h("div", { class: "tip-row" }, swatch, h("span", {}, name), h("b", {}, value));
  });
  return h("div", { class: "tip" }, h("div", { class: "tip-title" }, title), ...list);
}
