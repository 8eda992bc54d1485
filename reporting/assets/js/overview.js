// About This Test and the four cards. Time Elapsed ticks between the server's updates, for as long as these come.

import { h, part, setAttribute, setMessage, setText } from "./dom.js";
import { count, dayAndTime, duration, ms, percent, rate, utc } from "./format.js";
import { percentiles } from "./percentiles.js";
import { scopeLink } from "./scope_links.js";

const fields = new Map();
for (const element of document.querySelectorAll("[data-field]")) {
  if (!element.closest("[data-endpoint-name]")) fields.set(element.dataset.field, element);
}

function show(field, value, text) {
  const element = fields.get(field);
  setAttribute(element, "data-value", value ?? "");
  setText(element, text);
  return element;
}

export class Overview {
  #about = null;
  #elapsedAt = 0;
  #workers = null;
  #workerCounts = null;

  show({ about, cards, workers, worker_counts: counts }) {
    this.#about = about;
    this.#elapsedAt = performance.now();
    this.#showAbout(about);
    this.#showCards(cards);
    if (workers !== this.#workers || counts !== this.#workerCounts) showWorkers(workers, counts);
    this.#workers = workers;
    this.#workerCounts = counts;
    this.tick(this.#elapsedAt);
  }

  /** Shows of which window the cards are; `seconds` of it have been, with at most so many users. */
  showWindow(isWindow, seconds, users) {
    setAttribute(part("cards"), "data-window", isWindow);
    setText(part("window-time"), duration(seconds));
    setText(part("window-users"), count(users));
  }

  /** A file does not know how it is now. */
  showConnection(status) {
    if (!fields.has("infrastructure-status")) return;
    setAttribute(show("infrastructure-status", status, status), "data-status", status);
  }

  #showAbout(about) {
    for (const [field, text] of [
      ["test-name", about.test_name],
      ["host", about.host || "set by each user type"],
      ["scenario", about.scenario],
    ]) {
      setAttribute(show(field, text, text), "title", text);
    }
    show("infrastructure", about.infrastructure, about.infrastructure);
    this.showConnection(about.infrastructure_status);
    show("type", about.type, about.type);
    const unlessAwaited = (text) => (about.awaits_shape ? "set by the load shape" : text);
    show("users", about.users, unlessAwaited(count(about.users)));
    show("duration", about.duration_s, unlessAwaited(duration(about.duration_s)));
    show("ramp-up-duration", about.ramp_up_s, unlessAwaited(duration(about.ramp_up_s)));
    show("worker-count", about.worker_count, about.worker_count === 0 ? "one per core" : String(about.worker_count));
    showStart(about.run_started_us, about);
    // Of a run that waits its phase says more.
    const status = about.waiting ? about.phase : about.status;
    setAttribute(show("status", status, status), "data-status", about.status);
    show("waiting", about.waiting ?? "", about.waiting ?? "").hidden = !about.waiting;
    document.title = `${about.test_name} #${about.number} – ${status} – Greylag`;
    const pill = part("status-pill");
    setText(pill, status);
    setAttribute(pill, "data-status", about.status);
    showSettings(about.settings);
    const reason = about.failure_reason ?? "";
    setAttribute(fields.get("failure-reason"), "data-value", reason);
    setMessage(fields.get("failure-reason"), reason);
    fields.get("failure-reason").hidden = !reason;
    setAttribute(part("cards"), "data-status", about.status);
    setText(part("total-time"), duration(about.time_elapsed_s));
    const isRunning = about.status === "Running";
    for (const [role, hidden] of Object.entries({ stop: !about.can_stop, again: isRunning, delete: isRunning })) {
      // Who only reads has no such buttons.
      const button = part(role);
      if (button) button.hidden = hidden;
    }
  }

  #showCards(cards) {
    show("total-requests", cards.requests, count(cards.requests));
    show("requests-per-second", cards.rps, rate(cards.rps));
    // Of a part of the run a file may not know it.
    show("current-requests-per-second", cards.current_rps, cards.current_rps === null ? "–" : rate(cards.current_rps));
    show("error-rate", cards.error_rate, percent(cards.error_rate));
    show("total-failures", cards.failures, count(cards.failures));
    show("avg-response-time", cards.avg_ms, ms(cards.avg_ms));
    for (const { key, name } of percentiles) show(name, cards[key], ms(cards[key]));
    show("active-users", cards.active_users, count(cards.active_users));
    setAttribute(part("error-card"), "data-failing", cards.failures > 0);
    showIntended(cards.intended);
    showArrivals(cards.arrivals);
  }

  /** Shows the time that has passed, on performance.now()'s clock at most until `knownUntil`. */
  tick(knownUntil) {
    const about = this.#about;
    if (!about) return;
    const ticking = about.status === "Running" && about.run_started_us !== null;
    const now = Math.max(this.#elapsedAt, Math.min(performance.now(), knownUntil));
    const seconds = about.time_elapsed_s + (ticking ? (now - this.#elapsedAt) / 1000 : 0);
    show("time-elapsed", seconds, duration(seconds));
    setAttribute(part("progress"), "width", Math.min(100, (seconds / about.duration_s) * 100).toFixed(1));
  }
}

/** The second line of the response time's card: only of runs that have intended starts. */
function showIntended(times) {
  part("intended-line").hidden = !times;
  // The first one is the median, which has no room here.
  for (const { key, name } of [{ key: "avg_ms", name: "avg" }, ...percentiles.slice(1)]) {
    const value = times?.[key] ?? 0;
    show(`intended-${name}`, value, ms(value));
  }
}

/** Iterations of an arrival rate: only of runs that have one. */
function showArrivals(arrivals) {
  const { started, late, skipped } = arrivals ?? { started: 0, late: 0, skipped: 0 };
  const card = part("arrivals");
  card.hidden = !arrivals;
  setAttribute(card, "data-skipping", skipped > 0);
  show("arrivals-started", started, count(started));
  show("arrivals-late", late, count(late));
  show("arrivals-skipped", skipped, count(skipped));
  part("arrivals-warning").hidden = skipped === 0;
}

/** Local time, with UTC at hand. */
function showStart(atUs, { status, waiting }) {
  const element = fields.get("run-started");
  if (atUs === null) return setText(element, waiting ? "Not yet" : status === "Running" ? "Starting workers…" : "Never");
  if (element.dataset.shown === String(atUs)) return;
  setAttribute(element, "data-value", atUs);
  element.dataset.shown = String(atUs);
  const time = h("time", { datetime: new Date(atUs / 1000).toISOString(), title: utc(atUs) }, dayAndTime(atUs));
  element.replaceChildren(time);
}

/** What else the run was asked to do; a load shape is known only once the run has started. */
function showSettings(settings) {
  const list = part("settings");
  const shown = JSON.stringify(settings);
  if (list.dataset.shown === shown) return;
  list.dataset.shown = shown;
  list.hidden = settings.length === 0;
  list.replaceChildren(
    ...settings.map(({ label, value }) => h("div", {}, h("dt", {}, label), h("dd", { class: "setting" }, value))),
  );
}

/** Of many workers only those that need attention and some others are listed. */
function showWorkers(workers, { all, stale }) {
  const holder = part("workers");
  holder.hidden = workers.length === 0;
  setText(part("stale-workers"), `${count(stale)} not responding`);
  part("stale-workers").hidden = stale === 0;
  setText(part("workers-left-out"), `${count(workers.length)} of ${count(all)} workers`);
  part("workers-left-out").hidden = workers.length === all;
  const body = holder.querySelector("tbody");
  workers.forEach((worker, index) => {
    let row = body.rows[index];
    if (!row) {
      row = h("tr", {}, h("td", { class: "clip" }), h("td"), h("td"), h("td"));
      body.append(row);
    }
    setAttribute(row, "data-running", worker.running);
    setAttribute(row, "data-stale", worker.stale);
    const [agent] = row.cells;
    setAttribute(agent, "title", worker.agent);
    if (!agent.firstElementChild) agent.append(scopeLink("agent", { "data-scope-agent": true }));
    setText(agent.firstElementChild, worker.agent);
    [String(worker.index), String(worker.pid), worker.stale ? "unknown" : count(worker.users)].forEach((text, cell) =>
      setText(row.cells[cell + 1], text),
    );
  });
  while (body.rows.length > workers.length) body.lastElementChild.remove();
}
