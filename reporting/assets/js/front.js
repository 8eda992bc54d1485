// The front page: the start form, local times, and regions kept live by fetching the page again
// whenever the coordinator says that something changed.

import { address } from "./address.js";
import { refreshOptions } from "./scenario_options.js";
import { startForm } from "./start_form.js";
import { Live } from "./live.js";
import { dayAndTime } from "./format.js";
import { setText } from "./dom.js";

/** Least time between two refreshes. */
const REFRESH_MS = 1_000;
/** Heartbeats grow older without anything changing. */
const AGE_MS = 10_000;

/** A form with a mistake is answered under the address it was sent to; the page itself is at the root. */
const FRONT = address("/");
const PAGE = [FRONT, FRONT.slice(0, -1)].includes(location.pathname) ? `${FRONT}${location.search}` : FRONT;

let refreshing = false;
let wanted = false;

function dress() {
  for (const element of document.querySelectorAll('[data-role="origin"]')) setText(element, location.origin + FRONT.slice(0, -1));
  for (const time of document.querySelectorAll("time[datetime]")) {
    setText(time, dayAndTime(Date.parse(time.getAttribute("datetime")) * 1000).slice(0, -3));
  }
}

/** A region that the reader is in the middle of using is left alone until the next time. */
function busy(region) {
  return region.querySelector("details[open]") !== null;
}

async function refresh() {
  if (refreshing) {
    wanted = true;
    return;
  }
  refreshing = true;
  wanted = false;
  try {
    const answer = await fetch(PAGE, { headers: { accept: "text/html" } });
    if (answer.redirected) location.reload();
    else if (answer.ok) replaceRegions(new DOMParser().parseFromString(await answer.text(), "text/html"));
  } catch {
    // The coordinator is away; the stream's indicator says so and asks again.
  }
  setTimeout(() => {
    refreshing = false;
    if (wanted && !document.hidden) refresh();
  }, REFRESH_MS);
}

function replaceRegions(fresh) {
  for (const region of document.querySelectorAll("[data-region]")) {
    const next = fresh.querySelector(`[data-region="${region.dataset.region}"]`);
    if (!next || busy(region)) continue;
    const focused = region.contains(document.activeElement) ? focusPath(region) : null;
    region.replaceChildren(...document.adoptNode(next).childNodes);
    region.hidden = next.hidden;
    if (focused !== null) region.querySelectorAll("a, button, summary")[focused]?.focus({ preventScroll: true });
  }
  refreshChoices(fresh);
  dress();
}

/** Infrastructures and scenarios come and go while the form is open; what was chosen stays where it can. */
function refreshChoices(fresh) {
  for (const name of ["infrastructure", "scenario"]) {
    const field = `[data-role="start-form"] [name="${name}"]`;
    const [old, next] = [document.querySelector(field), fresh.querySelector(field)];
    if (!old || !next || old === document.activeElement || old.outerHTML === next.outerHTML) continue;
    const chosen = old.value;
    old.replaceWith(document.adoptNode(next));
    const offered = !next.options || [...next.options].some((option) => option.value === chosen);
    if (chosen && offered) next.value = chosen;
  }
  refreshOptions(fresh);
  // The drawing and the groups of options follow what is chosen now.
  document.querySelector('[data-role="start-form"]')?.dispatchEvent(new Event("input"));
}

function focusPath(region) {
  return [...region.querySelectorAll("a, button, summary")].indexOf(document.activeElement);
}

dress();
startForm();
new Live({ change: refresh }).follow({ front: true });
setInterval(() => !document.hidden && refresh(), AGE_MS);
document.addEventListener("visibilitychange", () => !document.hidden && refresh());
