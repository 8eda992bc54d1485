// Moments that the server wrote in UTC, by the reader's clock.

import { setText } from "./dom.js";
import { dayAndTime } from "./format.js";

/** Those within an element, of the page unless one is given. */
export function showLocalTimes(within = document) {
  for (const time of within.querySelectorAll("time[datetime]")) {
    setText(time, dayAndTime(Date.parse(time.getAttribute("datetime")) * 1000).slice(0, -3));
  }
}
