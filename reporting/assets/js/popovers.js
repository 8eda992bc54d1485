// Popovers are <details class="confirm">, so that they open without scripts. With this module they close by Esc and by a
// click outside, and only one is open at a time.

const OPEN = "details.confirm[open]";
const FOCUSABLE = "a, button, input, select, textarea, summary, label, [tabindex='0']";

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const details of document.querySelectorAll(OPEN)) {
    details.open = false;
    details.querySelector("summary").focus();
  }
});

document.addEventListener("click", (event) => {
  for (const details of document.querySelectorAll(OPEN)) {
    if (details.contains(event.target)) continue;
    details.open = false;
    // What was clicked has the focus now, unless it is only text.
    if (!event.target.closest(FOCUSABLE)) details.querySelector("summary").focus({ preventScroll: true });
  }
});
