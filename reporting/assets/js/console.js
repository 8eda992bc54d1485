// The Console Logs panel: the lines of the run, which the server searches and filters, follow, full screen, and the console tables
// beneath the lines.

import { address } from "./address.js";
import { h, part, setText } from "./dom.js";
import { count } from "./format.js";
import { LogPages, MOST } from "./log_pages.js";
import { LogRows, findAll, marked } from "./log_rows.js";
import { source } from "./source.js";

/** How near an end still counts as "at the end", in px. */
const NEAR_END_PX = 24;
/** How near an end the next lines are asked for, in px. */
const ASK_AT_PX = 400;
const SEARCH_DELAY_MS = 200;
/** Least time between two questions for lines that have come. */
const FOLLOW_MS = 500;
/** Most names of who says something that are offered. */
const MAX_NAMES = 200;
/** A moment of the run in the page's address: seconds of run time. */
const MOMENT = /^#t=(\d+(?:\.\d+)?)$/;

export class Console {
  /** The part of the run that is shown, as the query of an address. */
  #scope = "";
  #tablesText = "";
  #tableMatches = 0;
  #timer = 0;
  #followTimer = 0;
  /** The newest line when following ended. */
  #seen = 0;
  #names = new Set();

  /** `searchErrors(needle)`: gives how many of how many errors hold it. */
  constructor(searchErrors, id) {
    this.searchErrors = searchErrors;
    this.id = id;
    this.panel = part("console");
    this.frame = part("console-frame");
    this.scroll = part("console-scroll");
    this.search = part("log-search");
    this.regex = part("log-regex");
    this.level = part("log-level");
    this.source = part("log-source");
    this.follow = part("log-follow");
    this.fresh = part("log-new");
    this.full = part("log-fullscreen");
    this.tables = document.querySelector('[data-field="console-tables"]');
    this.#tablesText = this.tables.textContent;
    const rows = new LogRows(part("log-lines"), this.scroll);
    this.pages = new LogPages((query) => this.#ask(query), {
      clear: () => rows.clear(),
      append: (lines) => rows.append(lines),
      prepend: (lines) => rows.prepend(lines),
      dropFirst: (number) => rows.dropFirst(number),
      dropLast: (number) => rows.dropLast(number),
      busy: () => this.#showMatches(),
    });
    this.pages.forget(...this.#question());
    this.#listen();
    this.#goToMoment();
  }

  #listen() {
    this.panel.addEventListener("toggle", () => this.#stick());
    this.search.addEventListener("input", () => this.#searchSoon());
    this.source.addEventListener("input", () => this.#searchSoon());
    this.level.addEventListener("change", () => this.#search());
    this.regex.addEventListener("click", () => {
      this.regex.setAttribute("aria-pressed", String(!this.#isRegex));
      this.#search();
    });
    this.follow.addEventListener("change", () => this.#showFollowed());
    this.fresh.addEventListener("click", () => {
      this.follow.checked = true;
      this.#showFollowed();
    });
    this.scroll.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    part("log-lines").addEventListener("click", ({ target }) => {
      const button = target.closest?.("button.source");
      if (!button) return;
      this.source.value = button.textContent;
      this.#search();
    });
    new ResizeObserver(() => this.#stick()).observe(part("log-lines"));
    this.full.addEventListener("click", () => this.#toggleFull());
    document.addEventListener("fullscreenchange", () => this.#showFull());
    document.addEventListener("keydown", (event) => this.#key(event));
    addEventListener("hashchange", () => this.#goToMoment());
  }

  get #isRegex() {
    return this.regex.getAttribute("aria-pressed") === "true";
  }

  /** What is asked for beside the part of the run, and whether that is every line of it. */
  #filter() {
    const [q, level, source] = [this.search.value, this.level.value, this.source.value.trim()];
    return Object.fromEntries(Object.entries({ q, regex: q && this.#isRegex ? "true" : "", level, source }).filter(([, value]) => value));
  }

  /** The same with the part of the run, and whether it is each line there is. */
  #question() {
    const filter = this.#filter();
    const query = { ...Object.fromEntries(new URLSearchParams(this.#scope)), ...filter };
    return [query, Object.keys(query).length === 0];
  }

  async #ask(query) {
    const { ok, body } = await source().json(this.id, `/log/lines?${new URLSearchParams(query)}`);
    if (!ok) throw new Error(body.error);
    return body;
  }

  /** Shows lines of another part of the run: of the whole run those that follow by events. */
  restart(scope) {
    this.#scope = scope;
    this.#seen = 0;
    const [query, isAll] = this.#question();
    this.#showDownload();
    if (isAll) this.pages.forget(query, isAll);
    else this.#restart();
  }

  /** Takes the newest lines, which an event brought. */
  append(rows, dropped) {
    for (const { source } of rows) this.#offer(source);
    const isHere = this.pages.bring(rows);
    if (rows.length > 0) setText(part("log-last"), rows.at(-1).text.slice(0, 300));
    const lines = this.pages.newest;
    setText(part("log-count"), `${count(lines)} ${lines === 1 ? "line" : "lines"}`);
    const notice = part("log-dropped");
    notice.hidden = dropped === 0;
    setText(notice, `${count(dropped)} lines were dropped: they arrived too fast or exceeded the run's log limit.`);
    if (!isHere) this.#followSoon();
    this.#showMatches();
    this.#stick();
  }

  /** Names of who says something are offered for the field that takes one. */
  #offer(source) {
    if (this.#names.has(source) || this.#names.size === MAX_NAMES) return;
    this.#names.add(source);
    part("log-sources").append(h("option", { value: source }));
  }

  async #restart(at = null) {
    this.#fail("");
    try {
      await this.pages.restart(...this.#question(), at);
    } catch (error) {
      this.#fail(error.message);
    }
    if (at !== null) this.scroll.scrollTop = 0;
    this.#showMatches();
    this.#stick();
  }

  #fail(message) {
    const shown = part("log-error");
    shown.hidden = message === "";
    setText(shown, message);
  }

  #searchSoon() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#search(), SEARCH_DELAY_MS);
  }

  #search() {
    clearTimeout(this.#timer);
    this.#markTables();
    this.#showDownload();
    this.#restart();
  }

  /** What is downloaded is what is shown. */
  #showDownload() {
    const query = String(new URLSearchParams(this.#question()[0]));
    part("log-download")?.setAttribute("href", address(`/api/v1/runs/${this.id}/log`) + (query && `?${query}`));
  }

  showTables(text) {
    if (text === this.#tablesText) return;
    this.#tablesText = text;
    this.#markTables();
    this.#showMatches();
  }

  /** Searches tables and errors, which are here, for a text; a regular expression is the server's to understand. */
  get #needle() {
    return this.#isRegex ? "" : this.search.value.trim().toLowerCase();
  }

  /** The tables stay whole, because a line of them means nothing without its column's names. */
  #markTables() {
    const found = this.#needle ? findAll(this.#tablesText, this.#needle) : [];
    if (found.length > 0) this.tables.replaceChildren(...marked(this.#tablesText, found));
    else setText(this.tables, this.#tablesText);
    this.#tableMatches = found.length;
  }

  #showMatches() {
    const [errors, allErrors] = this.searchErrors(this.#needle);
    const isFiltered = Object.keys(this.#filter()).length > 0;
    const { rows, hasOlder, hasNewer, isBusy } = this.pages;
    const more = hasOlder || hasNewer ? "+" : "";
    const found = [`${count(rows.length)}${more} ${rows.length === 1 && !more ? "line" : "lines"}`];
    if (this.#needle) found.push(`${count(this.#tableMatches)} in tables`);
    if (this.#needle && allErrors > 0) found.push(`${count(errors)} of ${count(allErrors)} errors`);
    if (isBusy) found.push("searching…");
    setText(part("log-matches"), isFiltered ? found.join(" · ") : "");
    this.#showNew();
  }

  /** Asks for what has come, while that is looked at. */
  #followSoon() {
    if (!this.follow.checked || this.#followTimer) return;
    this.#followTimer = setTimeout(async () => {
      this.#followTimer = 0;
      await this.#catchUp();
    }, FOLLOW_MS);
  }

  /** Goes to the end: line by line if it is near. */
  async #catchUp() {
    if (!this.follow.checked || this.pages.isBusy) return;
    if (this.pages.newest - this.pages.tail > MOST) return this.#restart();
    await this.#more(() => this.pages.newer());
    this.#stick();
    if (this.pages.hasNewer) this.#followSoon();
  }

  async #more(get) {
    try {
      await get();
    } catch (error) {
      this.#fail(error.message);
    }
    this.#showMatches();
  }

  #showFollowed() {
    if (this.follow.checked) this.#catchUp();
    else this.#seen = this.pages.newest;
    this.#showNew();
    this.#stick();
  }

  /** Says how many lines have come since one stopped to follow. */
  #showNew() {
    const lines = this.pages.newest - this.#seen;
    this.fresh.hidden = this.follow.checked || lines <= 0;
    setText(this.fresh, `${count(Math.max(0, lines))} new ${lines === 1 ? "line" : "lines"}`);
  }

  #stick() {
    if (this.panel.open && this.follow.checked) this.scroll.scrollTop = this.scroll.scrollHeight;
  }

  #scrolled() {
    const { scrollHeight, clientHeight, scrollTop } = this.scroll;
    const below = scrollHeight - clientHeight - scrollTop;
    const follows = below < NEAR_END_PX && !this.pages.hasNewer;
    if (this.follow.checked && !follows && below >= NEAR_END_PX) this.#seen = this.pages.newest;
    if (below >= NEAR_END_PX || follows) this.follow.checked = follows;
    this.#showNew();
    if (scrollTop < ASK_AT_PX && !follows) this.#more(() => this.pages.older());
    else if (below < ASK_AT_PX && !this.follow.checked) this.#more(() => this.pages.newer());
  }

  /** Shows the lines from the moment on that the address names. */
  #goToMoment() {
    const moment = MOMENT.exec(location.hash);
    if (!moment) return;
    this.panel.open = true;
    this.follow.checked = false;
    this.#restart(Number(moment[1])).then(() => {
      this.#seen = this.pages.newest;
      this.panel.scrollIntoView({ block: "start" });
    });
  }

  async #toggleFull() {
    if (document.fullscreenElement) await document.exitFullscreen();
    else if (this.frame.classList.contains("full")) this.frame.classList.remove("full");
    else {
      try {
        await this.frame.requestFullscreen();
      } catch {
        this.frame.classList.add("full");
      }
    }
    this.#showFull();
  }

  #showFull() {
    const full = document.fullscreenElement === this.frame || this.frame.classList.contains("full");
    this.full.setAttribute("aria-pressed", String(full));
    setText(this.full, full ? "Exit full screen" : "Full screen");
    this.#stick();
  }

  #key(event) {
    if (event.key === "Escape" && this.frame.classList.contains("full")) this.#toggleFull();
    const typing = event.target.closest?.("input, select, textarea, [contenteditable]");
    if (event.key !== "/" || typing || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    this.panel.open = true;
    this.search.focus();
    this.search.scrollIntoView({ block: "center" });
  }
}
