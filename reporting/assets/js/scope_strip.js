// The whole run in small, with the window in it: two handles and what is between them, by mouse, finger and keyboard.

import { clock } from "./format.js";
import { part, setAttribute } from "./dom.js";
import { moved, shifted, spanned, windowOf } from "./scope.js";

/** Size of the drawing, in its own units. */
const WIDTH = 1_000;
const HEIGHT = 100;
/** Pixels that a pointer moves at least, or it was a click. */
const LEAST_PX = 4;
/** A window that is moved by keys is shown when no key was pressed for so long. */
const KEYS_MS = 400;
const KEYS = {
  ArrowLeft: (at) => at - 1,
  ArrowDown: (at) => at - 1,
  ArrowRight: (at) => at + 1,
  ArrowUp: (at) => at + 1,
  PageDown: (at, end) => at - Math.max(1, Math.round(end / 10)),
  PageUp: (at, end) => at + Math.max(1, Math.round(end / 10)),
  Home: () => 0,
  End: (_, end) => end,
};

export class ScopeStrip {
  #end = 1;
  /** The window that is shown, or is being made: [from, to]. */
  #window = [0, 1];
  #drag = null;
  #timer = 0;

  /** `select(window)`: shows {from, to}; `preview(window)`: it is about to be selected, or null. */
  constructor({ select, preview }) {
    this.select = select;
    this.preview = preview;
    this.strip = part("scope-strip");
    this.requests = part("strip-requests");
    this.before = part("strip-before");
    this.after = part("strip-after");
    this.middle = part("strip-window");
    this.handles = [part("strip-from"), part("strip-to")];
    this.strip.addEventListener("pointerdown", (event) => this.#press(event));
    this.strip.addEventListener("pointermove", (event) => this.#move(event));
    this.strip.addEventListener("pointerup", () => this.#release(true));
    this.strip.addEventListener("pointercancel", () => this.#release(false));
    this.strip.addEventListener("keydown", (event) => this.#key(event));
    // Before the page takes Escape for leaving the part that is shown.
    const escape = (event) => {
      if (event.key !== "Escape" || !this.#drag) return;
      event.preventDefault();
      this.#release(false);
    };
    addEventListener("keydown", escape, { capture: true });
  }

  /** Shows a scope's window in a run that has been going for `end` seconds, with these points of the whole run. */
  show(scope, points, end) {
    this.#end = Math.max(1, end);
    setAttribute(this.requests, "d", area(points, this.#end));
    if (this.#drag || this.#timer) return;
    const window = windowOf(scope);
    this.#window = [Math.min(window?.from ?? 0, this.#end), Math.min(window?.to ?? this.#end, this.#end)];
    this.#draw();
  }

  #draw() {
    const [from, to] = this.#window;
    const percent = (at) => `${((at / this.#end) * 100).toFixed(3)}%`;
    this.before.style.left = "0";
    this.before.style.width = percent(from);
    this.after.style.left = percent(to);
    this.after.style.right = "0";
    this.middle.style.left = percent(from);
    this.middle.style.width = percent(to - from);
    this.#slider(this.middle, from, `${clock(from)} to ${clock(to)}`);
    this.handles.forEach((handle, index) => {
      handle.style.left = percent(this.#window[index]);
      this.#slider(handle, this.#window[index], clock(this.#window[index]));
    });
  }

  #slider(element, value, text) {
    setAttribute(element, "aria-valuemax", this.#end);
    setAttribute(element, "aria-valuenow", value);
    setAttribute(element, "aria-valuetext", text);
  }

  /** Seconds of run time beneath a pointer. */
  #at({ clientX }) {
    const { left, width } = this.strip.getBoundingClientRect();
    return ((clientX - left) / width) * this.#end;
  }

  #press(event) {
    if (event.button !== 0) return;
    const at = this.#at(event);
    const handle = this.handles.indexOf(event.target);
    const [from, to] = this.#window;
    const isWhole = from === 0 && to === this.#end;
    // Where all is selected a new window is drawn; else what is between the handles is moved.
    const kind = handle >= 0 ? "handle" : event.target === this.middle && !isWhole ? "middle" : "new";
    this.#drag = { kind, handle, at, x: event.clientX, window: this.#window, moved: false };
    this.strip.setPointerCapture(event.pointerId);
    (handle >= 0 ? event.target : this.middle).focus({ preventScroll: true });
    event.preventDefault();
  }

  #move(event) {
    const drag = this.#drag;
    if (!drag || (!drag.moved && Math.abs(event.clientX - drag.x) < LEAST_PX)) return;
    drag.moved = true;
    const at = this.#at(event);
    if (drag.kind === "handle") this.#set(moved(drag.window, drag.handle, at, this.#end));
    else if (drag.kind === "middle") this.#set(shifted(drag.window, at - drag.at, this.#end));
    else {
      const { from, to } = spanned(drag.at, at, this.#end);
      this.#set([from, to]);
    }
  }

  #set(window) {
    this.#window = window;
    this.#draw();
    this.preview(this.#asked());
  }

  #release(isDone) {
    const drag = this.#drag;
    this.#drag = null;
    if (!drag?.moved) return;
    if (isDone) return this.select(this.#asked());
    this.#window = drag.window;
    this.#draw();
    this.preview(null);
  }

  /** What reaches the end goes on with the run. */
  #asked() {
    const [from, to] = this.#window;
    return { from: from || undefined, to: to >= this.#end ? undefined : to };
  }

  #key(event) {
    const step = KEYS[event.key];
    if (!step || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    const handle = this.handles.indexOf(event.target);
    const times = event.shiftKey ? 10 : 1;
    const go = (at) => {
      let next = at;
      for (let time = 0; time < times; time += 1) next = step(next, this.#end);
      return next;
    };
    if (handle >= 0) this.#set(moved(this.#window, handle, go(this.#window[handle]), this.#end));
    else this.#set(shifted(this.#window, go(this.#window[0]) - this.#window[0], this.#end));
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#timer = 0;
      this.select(this.#asked());
    }, KEYS_MS);
  }
}

/** The requests per second as the path of an area. */
function area(points, end) {
  const rates = points.map((point) => point.requests / point.step);
  const most = rates.reduce((top, rate) => Math.max(top, rate), 0);
  if (most === 0) return "M0,0";
  const place = (value) => value.toFixed(1);
  const x = (second) => place(Math.min(WIDTH, (second / end) * WIDTH));
  const y = (rate) => place(HEIGHT - (rate / most) * HEIGHT);
  const steps = points.map((point, index) => `H${x(point.second)}V${y(rates[index])}H${x(point.second + point.step)}`);
  return `M${x(points[0].second)},${HEIGHT}${steps.join("")}V${HEIGHT}Z`;
}
