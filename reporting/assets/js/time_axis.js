// How moments of a run read on the charts: elapsed, or by the clock. One switch for all of them, which is remembered.

import { clock, localTime, timeOfDay } from "./format.js";
import { part } from "./dom.js";

const KEY = "greylag-time-axis";
const WALL = "wall";

let startedAtUs = null;
let isWall = read() === WALL;
const listeners = new Set();

function read() {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null;
  }
}

/** Run time zero in µs since 1970; null while it is not known, when only elapsed time can be shown. */
export function setRunStart(atUs) {
  if (startedAtUs === (atUs ?? null)) return;
  startedAtUs = atUs ?? null;
  tell();
}

/** Calls `listener` when moments read differently from now on. */
export function onTimeAxisChange(listener) {
  listeners.add(listener);
}

function tell() {
  show();
  for (const listener of listeners) listener();
}

/** A moment on an axis. */
export function axisTime(second) {
  return isWall && startedAtUs !== null ? timeOfDay(startedAtUs + second * 1e6, false) : clock(second);
}

/** A moment in a tooltip: "at 1:05". */
export function atTime(second) {
  return isWall && startedAtUs !== null ? `at ${localTime(startedAtUs + second * 1e6)}` : `at ${clock(second)}`;
}

/** A moment in UTC for files; empty while that is not known. */
export function utcTime(second) {
  return startedAtUs === null ? "" : new Date((startedAtUs + second * 1e6) / 1000).toISOString();
}

function show() {
  for (const button of part("time-axis")?.querySelectorAll("button") ?? [])
    button.setAttribute("aria-pressed", String((button.dataset.axis === WALL) === isWall));
}

for (const button of part("time-axis")?.querySelectorAll("button") ?? [])
  button.addEventListener("click", () => {
    isWall = button.dataset.axis === WALL;
    try {
      localStorage.setItem(KEY, button.dataset.axis);
    } catch {
      // Without storage the choice lasts as long as the page.
    }
    tell();
  });
show();
