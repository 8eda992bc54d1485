// Dragging over a chart selects a window of run time: with the mouse, or with a finger that rests first. Escape gives it up,
// a double click shows all seconds again.

import { clock } from "./format.js";
import { h, setText } from "./dom.js";
import { spanned } from "./scope.js";

/** Pixels that a pointer moves at least, or it was a click. */
const LEAST_PX = 5;
/** How long a finger rests before it selects: else it scrolls the page, or shows what is beneath it. */
const PRESS_MS = 350;
const FINGER_PX = 10;

export class ChartWindow {
  #drag = null;
  #timer = 0;

  /** `chart`: an ECharts instance in `canvas`, whose first axis is run time. `run()`: {select({from, to}), end()}; select may
   * be missing. */
  constructor(chart, canvas, run) {
    this.chart = chart;
    this.canvas = canvas;
    this.run = run;
    this.label = h("span");
    this.box = h("div", { class: "chart-selection", hidden: true }, this.label);
    canvas.append(this.box);
    canvas.addEventListener("pointerdown", (event) => this.#press(event));
    canvas.addEventListener("pointermove", (event) => this.#move(event));
    canvas.addEventListener("pointerup", () => this.#release(true));
    canvas.addEventListener("pointercancel", () => this.#release(false));
    canvas.addEventListener("dblclick", () => this.run().select?.({ from: undefined, to: undefined }));
    // A finger that has begun to select does not scroll, nor open a menu.
    canvas.addEventListener("touchmove", (event) => this.#drag?.isOn && event.preventDefault(), { passive: false });
    canvas.addEventListener("contextmenu", (event) => this.#drag?.isOn && event.preventDefault());
    // Before the page takes Escape for leaving the part that is shown.
    const escape = (event) => {
      if (event.key !== "Escape" || !this.#drag?.isOn) return;
      event.preventDefault();
      this.#release(false);
    };
    addEventListener("keydown", escape, { capture: true });
  }

  #x({ clientX }) {
    return clientX - this.canvas.getBoundingClientRect().left;
  }

  #press(event) {
    if (event.button !== 0 || !event.isPrimary || !this.run().select) return;
    const box = this.canvas.getBoundingClientRect();
    const x = this.#x(event);
    if (!this.chart.containPixel({ gridIndex: 0 }, [x, event.clientY - box.top])) return;
    const drag = { from: x, to: x, pointer: event.pointerId, isOn: false, isFinger: event.pointerType === "touch" };
    this.#drag = drag;
    if (drag.isFinger) this.#timer = setTimeout(() => this.#begin(), PRESS_MS);
  }

  #begin() {
    if (!this.#drag) return;
    this.#drag.isOn = true;
    this.canvas.setPointerCapture(this.#drag.pointer);
    this.chart.dispatchAction({ type: "hideTip" });
    this.#show();
  }

  #move(event) {
    const drag = this.#drag;
    if (!drag || event.pointerId !== drag.pointer) return;
    drag.to = this.#x(event);
    const distance = Math.abs(drag.to - drag.from);
    if (drag.isOn) return this.#show();
    if (drag.isFinger) return distance > FINGER_PX && this.#release(false);
    if (distance >= LEAST_PX) this.#begin();
  }

  #window() {
    const second = (x) => this.chart.convertFromPixel({ xAxisIndex: 0 }, x);
    const [{ min, max }] = this.chart.getOption().xAxis;
    const inside = (at) => Math.min(Math.max(at, min), max);
    const { from, to } = this.#drag;
    return spanned(inside(second(from)), inside(second(to)), this.run().end());
  }

  #show() {
    const { from, to } = this.#window();
    const [left, right] = [from, to].map((second) => this.chart.convertToPixel({ xAxisIndex: 0 }, second));
    this.box.style.left = `${left}px`;
    this.box.style.width = `${Math.max(1, right - left)}px`;
    setText(this.label, `${clock(from)} – ${clock(to)}`);
    this.box.hidden = false;
  }

  #release(isDone) {
    clearTimeout(this.#timer);
    const drag = this.#drag;
    if (!drag) return;
    const window = drag.isOn && isDone ? this.#window() : null;
    this.#drag = null;
    this.box.hidden = true;
    if (window) this.run().select(window);
  }
}
