// The Console Logs panel: streamed lines, those that are repeated folded, search over lines, tables and errors, follow, full
// screen, and the console tables beneath the lines.

import { h, part, setAttribute, setText } from "./dom.js";
import { count, timeOfDay } from "./format.js";

/** Lines kept in the page; older ones are in the download. */
const MAX_LINES = 5_000;
/** How near the end still counts as "at the end", in px. */
const NEAR_END_PX = 24;
/** Characters of a line that never needs scrolling, on narrow screens neither. */
const LONG_LINE = 200;
const SEARCH_DELAY_MS = 120;
/** A line is folded into one of the last few that says the same; several workers often say it in turn. */
const FOLD_INTO_LAST = 8;

export class Console {
  #lines = [];
  #lastSeq = 0;
  #needle = "";
  #matches = 0;
  #timer = 0;
  #tablesText = "";
  #isWhole = true;

  /** `searchErrors(needle)`: gives how many of how many errors hold it. */
  constructor(searchErrors) {
    this.searchErrors = searchErrors;
    this.panel = part("console");
    this.frame = part("console-frame");
    this.scroll = part("console-scroll");
    this.list = part("log-lines");
    this.search = part("log-search");
    this.follow = part("log-follow");
    this.full = part("log-fullscreen");
    this.tables = document.querySelector('[data-field="console-tables"]');
    this.list.replaceChildren();
    this.tableMatches = 0;
    this.#tablesText = this.tables.textContent;
    this.older = h("p", { class: "console-older" });
    this.panel.addEventListener("toggle", () => this.#stick());
    this.search.addEventListener("input", () => this.#searchSoon());
    this.follow.addEventListener("change", () => this.#stick());
    this.scroll.addEventListener("scroll", () => this.#followIfAtEnd(), { passive: true });
    new ResizeObserver(() => this.#stick()).observe(this.list);
    this.full.addEventListener("click", () => this.#toggleFull());
    document.addEventListener("fullscreenchange", () => this.#showFull());
    document.addEventListener("keydown", (event) => this.#key(event));
  }

  /** Forgets its lines: those of another part of the run follow, of the whole run if `isWhole`. */
  restart(isWhole) {
    this.#isWhole = isWhole;
    this.#lines = [];
    this.#lastSeq = 0;
    this.#matches = 0;
    this.list.replaceChildren();
    setText(part("log-last"), "");
  }

  /** Takes the lines of a delta. Lines are numbered for ever, so those that are here already are known. */
  append(rows, dropped) {
    const fresh = rows.filter((row) => row.seq > this.#lastSeq).slice(-MAX_LINES);
    if (fresh.length > 0) {
      this.#lastSeq = fresh.at(-1).seq;
      for (const row of fresh) if (!this.#fold(row)) this.list.append(this.#add(row));
      const oldest = this.#lines.splice(0, Math.max(0, this.#lines.length - MAX_LINES));
      for (const line of oldest) {
        if (line.matches) this.#matches -= 1;
        line.element.remove();
      }
      if (oldest.length > 0) this.#tellOfOlder();
      setText(part("log-last"), fresh.at(-1).text.slice(0, 300));
    }
    // Lines are numbered over the whole run.
    const lines = this.#isWhole ? this.#lastSeq : this.#lines.reduce((sum, { times }) => sum + times, 0);
    setText(part("log-count"), `${count(lines)} ${lines === 1 ? "line" : "lines"}${this.#isWhole ? "" : " shown"}`);
    const notice = part("log-dropped");
    notice.hidden = dropped === 0;
    setText(notice, `${count(dropped)} lines were dropped: they arrived too fast or exceeded the run's log limit.`);
    this.#showMatches();
    this.#stick();
  }

  showTables(text) {
    if (text === this.#tablesText) return;
    this.#tablesText = text;
    this.#markTables();
    this.#showMatches();
  }

  /** The tables stay whole, because a line of them means nothing without its column's names. Gives how often the search
   * is found in them. */
  #markTables() {
    const found = this.#needle ? findAll(this.#tablesText, this.#needle) : [];
    if (found.length > 0) this.tables.replaceChildren(...marked(this.#tablesText, found));
    else setText(this.tables, this.#tablesText);
    this.tableMatches = found.length;
  }

  /** Counts a line up that has just been said. */
  #fold(row) {
    const same = this.#lines
      .slice(-FOLD_INTO_LAST)
      .find(({ row: known }) => known.text === row.text && known.source === row.source);
    if (!same) return false;
    same.times += 1;
    if (!same.badge) {
      same.badge = h("span", { class: "times" });
      same.element.append(same.badge);
    }
    setText(same.badge, `×${count(same.times)}`);
    setAttribute(same.badge, "title", `The last at ${timeOfDay(row.at_us)}`);
    return true;
  }

  /** Says at the top how many lines went before those that are here, in the words of the server. */
  #tellOfOlder() {
    const before = this.#lines[0].row.seq - 1;
    setText(this.older, this.#isWhole ? `… ${count(before)} earlier lines: see the download` : "… earlier lines: see the download");
    if (!this.older.isConnected) this.list.prepend(this.older);
  }

  #add(row) {
    // What may have to be scrolled must be reached with the keyboard.
    const scrolls = row.text.length > LONG_LINE ? { tabindex: "0" } : {};
    const text = h("span", { class: "text", ...scrolls }, row.text);
    const source = h("span", { class: "source", title: row.source }, row.source);
    const element = h(
      "div",
      { class: "line", "data-seq": row.seq, "data-level": level(row.text) },
      h("time", { title: new Date(row.at_us / 1000).toISOString() }, timeOfDay(row.at_us)),
      source,
      text,
    );
    const line = { row, element, text, times: 1, badge: null, matches: false, marked: false };
    this.#lines.push(line);
    this.#match(line);
    return element;
  }

  #match(line) {
    const needle = this.#needle;
    const inText = needle ? findAll(line.row.text, needle) : [];
    line.matches = needle !== "" && (inText.length > 0 || line.row.source.toLowerCase().includes(needle));
    if (line.matches) this.#matches += 1;
    line.element.hidden = needle !== "" && !line.matches;
    if (inText.length > 0) line.text.replaceChildren(...marked(line.row.text, inText));
    else if (line.marked) line.text.textContent = line.row.text;
    line.marked = inText.length > 0;
  }

  #searchSoon() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#needle = this.search.value.trim().toLowerCase();
      this.#matches = 0;
      for (const line of this.#lines) this.#match(line);
      this.#markTables();
      this.#showMatches();
      this.#stick();
    }, SEARCH_DELAY_MS);
  }

  #showMatches() {
    const [errors, allErrors] = this.searchErrors(this.#needle);
    const found = [`${count(this.#matches)} of ${count(this.#lines.length)} lines`, `${count(this.tableMatches)} in tables`];
    if (allErrors > 0) found.push(`${count(errors)} of ${count(allErrors)} errors`);
    setText(part("log-matches"), this.#needle ? found.join(" · ") : "");
  }

  #stick() {
    if (this.panel.open && this.follow.checked) this.scroll.scrollTop = this.scroll.scrollHeight;
  }

  #followIfAtEnd() {
    this.follow.checked = this.scroll.scrollHeight - this.scroll.clientHeight - this.scroll.scrollTop < NEAR_END_PX;
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

/** Where `needle` (lower case) stands in `text`, as [start, end]. Where lower case has another length than the text
 * (a few letters of a few languages), the places could not be trusted, so there are none. */
export function findAll(text, needle) {
  const lower = text.toLowerCase();
  const found = [];
  if (lower.length !== text.length) return lower.includes(needle) ? [[0, text.length]] : found;
  for (let at = lower.indexOf(needle); at >= 0; at = lower.indexOf(needle, at + needle.length))
    found.push([at, at + needle.length]);
  return found;
}

function marked(text, places) {
  const nodes = [];
  let from = 0;
  for (const [start, end] of places) {
    nodes.push(text.slice(from, start), h("mark", {}, text.slice(start, end)));
    from = end;
  }
  nodes.push(text.slice(from));
  return nodes;
}

function level(text) {
  if (/\b(ERROR|PANIC|panicked)\b/.test(text)) return "error";
  return /\bWARN(ING)?\b/.test(text) ? "warn" : null;
}
