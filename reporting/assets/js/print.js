// Printing: a chart is a canvas of the window's width and resolution and in its theme. On paper a picture of it takes its
// place, light, as wide as a page and sharp. A chart that was never in view has asked for nothing, and is not printed (run.css).

import { h } from "./dom.js";
import { showLight } from "./theme.js";

/** Width of a printed page in CSS pixels, and how many dots of the picture are in one. */
const PAGE_WIDTH = 1_000;
const DOTS = 3;

/** `charts()`: those that there are by then. */
export function keepForPrint(charts) {
  let restore = null;
  addEventListener("beforeprint", () => {
    if (restore) return;
    restore = showLight();
    for (const chart of charts().filter(isPrinted)) {
      const picture = chart.picture(PAGE_WIDTH, DOTS);
      chart.canvas.after(h("img", { class: "chart-print", src: picture, alt: chart.describe() }));
    }
  });
  addEventListener("afterprint", () => {
    for (const picture of document.querySelectorAll(".chart-print")) picture.remove();
    restore?.();
    restore = null;
  });
}

/** What is folded is not on paper. It keeps its size in browsers that only do not draw it. */
function isPrinted(chart) {
  return chart.isReady() && chart.canvas.checkVisibility();
}
