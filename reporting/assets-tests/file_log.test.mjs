import assert from "node:assert/strict";
import { test } from "node:test";
import { load } from "./load.mjs";

const { logPage } = await load("file_log.js");

const START = 1_000_000_000;
const line = (seq, at_s, source, text, level) => ({ seq, at_us: START + at_s * 1e6, source, text, ...(level ? { level } : {}) });
const rows = [
  line(1, -1, "coordinator", "Starting"),
  line(2, 1, "eu/worker-1", "Straße (x) STRASSE"),
  line(3, 2, "eu", "a WARN", "warning"),
  // Lines 4 to 89 were left out of the file.
  line(90, 5, "eu-west", "an ERROR", "error"),
  line(91, 5.5, "eu/worker-2", "bye"),
];
const gap = { ...line(4, 5, "", "86 lines are not in this file."), isGap: true };
const ask = (query) => logPage(rows, new URLSearchParams(query), { startedUs: START, dropped: 7 });
const found = (query) => ask(query).lines.map(({ seq }) => seq);

test("lines are read from either end, page by page", () => {
  assert.deepEqual(ask({}), { lines: [...rows.slice(0, 3), gap, ...rows.slice(3)], dropped: 7, total: 91 });
  const last = ask({ limit: 2 });
  assert.deepEqual([last.lines.map(({ seq }) => seq), last.more], [[90, 91], 5]);
  assert.deepEqual(found({ before: last.more, limit: 2 }), [3, 4]);
  const first = ask({ order: "first", limit: 2 });
  assert.deepEqual([first.lines.map(({ seq }) => seq), first.more], [[1, 2], 2]);
  assert.deepEqual(found({ order: "first", after: first.more }), [3, 4, 90, 91]);
  assert.equal(ask({ order: "first", after: first.more }).more, undefined);
});

test("lines that were left out are counted where they were, at the beginning too", () => {
  const texts = (first) => logPage([line(first, 0, "eu", "bye")], new URLSearchParams(), { startedUs: START, dropped: 0 }).lines;
  assert.deepEqual(
    texts(3).map(({ text }) => text),
    ["2 lines are not in this file.", "bye"],
  );
  assert.deepEqual(
    texts(2).map(({ text }) => text),
    ["1 line is not in this file.", "bye"],
  );
  assert.deepEqual(
    texts(1).map(({ text }) => text),
    ["bye"],
  );
});

test("a moment leads to its first line, or behind the last", () => {
  assert.deepEqual([ask({ at: 2, order: "first" }).after, found({ at: 2, order: "first" })], [2, [3, 4, 90, 91]]);
  assert.deepEqual([ask({ at: 5, order: "first" }).after, found({ at: 5, order: "first" })], [89, [90, 91]]);
  assert.deepEqual([ask({ at: 9, order: "first" }).after, found({ at: 9, order: "first" })], [91, []]);
});

test("lines of some seconds, of some who say them, and as serious as wanted", () => {
  assert.deepEqual(found({ from: 1, to: 5 }), [2, 3]);
  assert.deepEqual(found({ from: 5 }), [4, 90, 91]);
  assert.deepEqual(found({ source: "eu" }), [2, 3, 91]);
  assert.deepEqual(found({ level: "warning" }), [3, 90]);
  assert.deepEqual(found({ level: "error" }), [90]);
});

test("texts are found in any case, with their places, and expressions as they are written", () => {
  assert.deepEqual(ask({ q: "STRa" }).lines[0].matches, [
    [0, 4],
    [11, 15],
  ]);
  assert.deepEqual(found({ q: "(X)" }), [2]);
  assert.deepEqual(found({ q: "WORKER" }), [2, 91]);
  assert.deepEqual(ask({ q: "worker" }).lines[0].matches, []);
  assert.deepEqual(found({ q: "^a\\w* (WARN|ERROR)", regex: "true" }), [3, 90]);
  assert.deepEqual(found({ q: "(?i)^B.E$", regex: "true" }), [91]);
  assert.deepEqual(found({ q: "straSSe", regex: "true" }), []);
  assert.throws(() => ask({ q: "(a", regex: "true" }), /`\(a` is not a valid regular expression/);
});
