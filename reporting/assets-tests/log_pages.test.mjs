// The stretch of a log that the page has, against a server that looks at a few lines at a time.

import assert from "node:assert/strict";
import { test } from "node:test";
import { load } from "./load.mjs";

const { LogPages, MOST, PAGE } = await load("log_pages.js");

/** A run's log of which each answer looks at no more than `most` lines. */
function server(total, most) {
  const asked = [];
  const server = {
    total,
    asked,
    ask: async ({ every = 1, after = 0, before = Infinity, at = null, order = "last", limit }) => {
      asked.push({ after, before, order });
      let looked = 0;
      const lines = [];
      const begin = at === null ? after : at * 10;
      const seqs = [];
      for (let seq = begin + 1; seq <= server.total && seq < before; seq += 1) seqs.push(seq);
      if (order === "last") seqs.reverse();
      let more;
      for (const seq of seqs) {
        if (lines.length >= limit || looked >= most) {
          more = order === "first" ? seq - 1 : seq + 1;
          break;
        }
        looked += 1;
        if (seq % every === 0) lines.push({ seq });
      }
      if (order === "last") lines.reverse();
      return { lines, more, total: server.total, after: at === null ? undefined : begin };
    },
  };
  return server;
}

/** What is in the page, by what it is told. */
function page() {
  const shown = { seqs: [] };
  return Object.assign(shown, {
    clear: () => (shown.seqs = []),
    append: (rows) => shown.seqs.push(...rows.map(({ seq }) => seq)),
    prepend: (rows) => shown.seqs.unshift(...rows.map(({ seq }) => seq)),
    dropFirst: (number) => shown.seqs.splice(0, number),
    dropLast: (number) => shown.seqs.splice(-number, number),
    busy: () => {},
  });
}

const range = (from, to) => Array.from({ length: to - from + 1 }, (_, index) => from + index);

test("all lines can be walked through in both directions, and few are kept", async () => {
  const [log, view] = [server(10_000, 700), page()];
  const pages = new LogPages(log.ask, view);
  await pages.restart({}, true);
  assert.deepEqual(view.seqs, range(10_000 - PAGE + 1, 10_000));
  assert.equal(pages.hasNewer, false);
  while (pages.hasOlder) {
    await pages.older();
    assert.ok(view.seqs.length <= MOST);
    assert.deepEqual(view.seqs, range(view.seqs[0], view.seqs.at(-1)));
    assert.deepEqual(view.seqs, pages.rows.map(({ seq }) => seq));
  }
  assert.equal(view.seqs[0], 1);
  while (pages.hasNewer) {
    await pages.newer();
    assert.ok(view.seqs.length <= MOST);
    assert.deepEqual(view.seqs, range(view.seqs[0], view.seqs.at(-1)));
  }
  assert.equal(view.seqs.at(-1), 10_000);
});

test("lines that are far apart are looked for until there are enough", async () => {
  const [log, view] = [server(10_000, 700), page()];
  const pages = new LogPages(log.ask, view);
  await pages.restart({ every: 1_000 }, false);
  assert.deepEqual(view.seqs, range(1, 10).map((number) => number * 1_000));
  assert.equal(pages.hasOlder, false);
  // What comes is asked for, from where was looked last.
  log.total = 12_500;
  assert.equal(pages.bring([{ seq: 12_500 }]), false);
  while (pages.hasNewer) await pages.newer();
  assert.deepEqual(view.seqs.slice(-2), [11_000, 12_000]);
  assert.equal(log.asked.at(-1).order, "first");
});

test("what events bring is taken without a question unless something is missing between", () => {
  const [log, view] = [server(0, 700), page()];
  const pages = new LogPages(log.ask, view);
  pages.forget({}, true);
  assert.ok(pages.bring([{ seq: 41 }, { seq: 42 }]));
  assert.ok(pages.hasOlder && !pages.hasNewer);
  assert.ok(pages.bring([{ seq: 42 }, { seq: 43 }]));
  assert.deepEqual(view.seqs, [41, 42, 43]);
  assert.equal(pages.bring([{ seq: 45 }]), false);
  assert.ok(pages.hasNewer);
  assert.deepEqual(log.asked, []);
});

test("while only some lines are asked for, or an answer is awaited, what events bring is not shown", async () => {
  const [log, view] = [server(100, 700), page()];
  const pages = new LogPages(log.ask, view);
  await pages.restart({ every: 10 }, false);
  assert.equal(pages.bring([{ seq: 101 }]), false, "it may not be one of them");
  const asked = pages.restart({}, true);
  assert.equal(pages.bring([{ seq: 101 }]), false, "what is before it is still to come");
  await asked;
  assert.deepEqual(view.seqs, range(1, 100));
  assert.ok(pages.hasNewer);
});

test("after many new lines the older ones can be had again", async () => {
  const [log, view] = [server(100, 700), page()];
  const pages = new LogPages(log.ask, view);
  await pages.restart({}, true);
  log.total = MOST + 200;
  assert.ok(pages.bring(range(101, log.total).map((seq) => ({ seq }))));
  assert.deepEqual(view.seqs, range(201, log.total));
  assert.ok(pages.hasOlder);
  await pages.older();
  assert.equal(view.seqs[0], 1);
});

test("a page is asked for once, and is of no use after another question", async () => {
  const [log, view] = [server(5_000, 700), page()];
  const waiting = [];
  const ask = (query) => new Promise((resolve) => waiting.push(() => resolve(log.ask(query))));
  const pages = new LogPages(ask, view);
  const answered = async (work) => {
    waiting.shift()();
    await work;
  };
  for (const way of ["older", "newer"]) {
    await answered(pages.restart({}, true, 200));
    const asked = [pages[way](), pages[way]()];
    assert.equal(waiting.length, 1, way);
    const other = pages.restart({ every: 500 }, false, 0);
    const late = waiting.shift();
    await answered(other);
    const shown = [...view.seqs];
    late();
    await Promise.all(asked);
    assert.deepEqual(view.seqs, shown, way);
  }
});

test("a moment is in the middle of what can be walked through", async () => {
  const [log, view] = [server(5_000, 700), page()];
  const pages = new LogPages(log.ask, view);
  await pages.restart({}, true, 200);
  assert.equal(view.seqs[0], 2_001);
  assert.ok(pages.hasOlder && pages.hasNewer);
  await pages.older();
  assert.deepEqual(view.seqs, range(1_501, 2_500));
});

test("an answer to an earlier question is not shown", async () => {
  const [log, view] = [server(1_000, 700), page()];
  let answer;
  const slow = new Promise((resolve) => (answer = resolve));
  const pages = new LogPages(async (query) => (query.every === 7 ? slow : log.ask(query)), view);
  const first = pages.restart({ every: 7 }, false);
  await pages.restart({ every: 100 }, false);
  const third = pages.restart({ every: 200 }, false);
  answer({ lines: [{ seq: 7 }], total: 1_000 });
  await first;
  assert.equal(pages.isBusy, true, "the newest is still awaited");
  await third;
  assert.deepEqual(view.seqs, range(1, 5).map((number) => number * 200));
  assert.equal(pages.isBusy, false);
});

test("that an earlier question failed is not said of a later one", async () => {
  const [log, view] = [server(1_000, 700), page()];
  let fail;
  const slow = new Promise((_, reject) => (fail = reject));
  const pages = new LogPages(async (query) => (query.every === 7 ? slow : log.ask(query)), view);
  const first = pages.restart({ every: 7 }, false);
  await pages.restart({ every: 100 }, false);
  fail(new Error("not a valid regular expression"));
  await first;
  assert.deepEqual(view.seqs, range(1, 10).map((number) => number * 100));
});
