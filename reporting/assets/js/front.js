// The front page: the start form, local times, and regions kept live by fetching the page again
// whenever the coordinator says that something changed.

import "./popovers.js";
import { address } from "./address.js";
import { afterPress } from "./after_press.js";
import { StartForm } from "./start_form.js";
import { CompareChoice } from "./compare_choice.js";
import { Live } from "./live.js";
import { showLocalTimes } from "./local_times.js";
import { part, setText } from "./dom.js";

/** Least time between two refreshes. */
const REFRESH_MS = 1_000;
/** Heartbeats grow older without anything changing. */
const AGE_MS = 10_000;

/** What may have the focus in a region that is renewed. */
const FOCUSABLE = "a, button, summary, input";

const FRONT = address("/");
/** A form with an error is answered under the address it was sent to; the page itself is at the root. */
const PAGE = location.pathname === address("/runs") ? FRONT : `${location.pathname}${location.search}`;

let refreshing = false;
let wanted = false;
let latest;

function dress() {
  for (const element of document.querySelectorAll('[data-role="origin"]')) setText(element, location.origin + FRONT.slice(0, -1));
  showLocalTimes();
}

/** A region that the reader is in the middle of using is left alone until the next time. */
function busy(region) {
  return region.querySelector("details[open]") !== null;
}

/** Because of a `change` event also its number: pages that ask because of the same one are answered together. */
async function refresh(change) {
  if (refreshing) {
    wanted = true;
    latest = change;
    return;
  }
  refreshing = true;
  wanted = false;
  try {
    const seen = change === undefined ? {} : { "x-greylag-seen": change };
    const answer = await fetch(PAGE, { headers: { accept: "text/html", ...seen } });
    if (answer.redirected) location.reload();
    else if (answer.ok) {
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      afterPress(() => replaceRegions(fresh));
    }
  } catch {
    // The coordinator is away; the stream's indicator says so and asks again.
  }
  setTimeout(() => {
    refreshing = false;
    if (wanted && !document.hidden) refresh(latest);
  }, REFRESH_MS);
}

function replaceRegions(fresh) {
  for (const region of document.querySelectorAll("[data-region]")) {
    const next = fresh.querySelector(`[data-region="${region.dataset.region}"]`);
    if (!next || busy(region)) continue;
    const focused = region.contains(document.activeElement) ? focusPath(region) : null;
    region.replaceChildren(...document.adoptNode(next).childNodes);
    region.hidden = next.hidden;
    if (focused !== null) region.querySelectorAll(FOCUSABLE)[focused]?.focus({ preventScroll: true });
  }
  form?.refresh(fresh);
  choice.show();
  dress();
}

function focusPath(region) {
  return [...region.querySelectorAll(FOCUSABLE)].indexOf(document.activeElement);
}

dress();
const choice = new CompareChoice();
/** Who only reads has none. */
const form = part("start-form") && new StartForm();
new Live({ change: refresh }).follow({ front: true });
setInterval(() => !document.hidden && refresh(), AGE_MS);
document.addEventListener("visibilitychange", () => !document.hidden && refresh());
