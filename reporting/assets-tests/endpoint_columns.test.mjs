import assert from "node:assert/strict";
import { test } from "node:test";
import { load } from "./load.mjs";

const { columnsOf, matching, nextSort, remembered, rowsInSight, sorted } = await load("endpoint_columns.js");

const columns = columnsOf([
  { key: "p50_ms", title: "50%" },
  { key: "p999_ms", title: "99.9%" },
]);
const row = (method, name, requests, more = {}) => ({ method, name, requests, failures: 0, bytes: 0, intended: null, ...more });
const rows = [row("GET", "/b", 5, { bytes: 50 }), row("POST", "/a", 7, { bytes: 7 }), row("GET", "/a", 6, { bytes: 600 })];
const all = { requests: 18, seconds: 9 };
const names = (list) => list.map(({ method, name }) => `${method} ${name}`);

test("columns have Locust's names and the numbers of a row", () => {
  const labels = columns.map(({ label }) => label);
  for (const label of ["Median (ms)", "99.9%ile (ms)", "Min (ms)", "Max (ms)", "Average size (bytes)", "Current Failures/s"])
    assert.ok(labels.includes(label), label);
  const shown = (key, of) => {
    const { value, text } = columns.find((column) => column.key === key);
    return text(value(of, all));
  };
  assert.equal(shown("share", rows[0]), "27.78%");
  assert.equal(columns.find(({ key }) => key === "share").value(rows[0], { requests: 0, seconds: 0 }), 0);
  assert.equal(shown("rps", rows[0]), "0.56");
  assert.equal(shown("avg_bytes", rows[2]), "100");
  assert.equal(shown("avg_bytes", row("", "", 0)), "0");
  assert.equal(shown("first_byte", row("", "", 1, { first_byte: { requests: 1, avg_ms: 2.5 } })), "2.50");
  assert.equal(shown("first_byte", row("", "", 1, { first_byte: null })), "–", "not measured");
  assert.equal(new Set(columns.map(({ key }) => key)).size, columns.length);
});

test("rows are sorted by any column, found, and left as they came", () => {
  const by = (column, direction) => names(sorted(rows, { column, direction }, columns, all));
  assert.deepEqual(by("requests", "descending"), ["POST /a", "GET /a", "GET /b"]);
  assert.deepEqual(by("avg_bytes", "ascending"), ["POST /a", "GET /b", "GET /a"]);
  assert.deepEqual(by("name", "ascending"), ["GET /a", "POST /a", "GET /b"]);
  assert.deepEqual(sorted(rows, null, columns, all), rows);
  assert.deepEqual(names(rows), ["GET /b", "POST /a", "GET /a"], "sorting leaves the list as it is");
  const paced = [row("GET", "/none", 1), row("GET", "/late", 1, { intended: { p95_ms: 0.5 } })];
  const byIntended = sorted(paced, { column: "intended", direction: "descending" }, columns, all);
  assert.deepEqual(names(byIntended), ["GET /late", "GET /none"], "what has no intended start is below all that has");
  assert.deepEqual(names(matching(rows, "get /a")), ["GET /a"]);
  assert.equal(nextSort(nextSort(nextSort(null, "requests"), "requests"), "requests"), null);
  assert.deepEqual(nextSort(null, "name"), { column: "name", direction: "ascending" });
});

test("what was kept is used as far as it is known", () => {
  assert.deepEqual(remembered(null, columns), { shown: null, sort: null });
  assert.deepEqual(remembered("no JSON", columns), { shown: null, sort: null });
  const text = JSON.stringify({ shown: ["requests", "gone"], sort: { column: "gone", direction: "ascending" } });
  assert.deepEqual(remembered(text, columns), { shown: ["requests"], sort: null });
  const odd = { column: "bytes", direction: "sideways" };
  assert.equal(remembered(JSON.stringify({ sort: odd }), columns).sort, null);
  const sort = { column: "bytes", direction: "descending" };
  assert.deepEqual(remembered(JSON.stringify({ sort }), columns).sort, sort);
});

test("few of many rows are in the page", () => {
  assert.deepEqual(rowsInSight(1000, 40, 0, 800, 10), [0, 32]);
  assert.deepEqual(rowsInSight(1000, 40, 4000, 800, 10), [88, 136]);
  assert.deepEqual(rowsInSight(1000, 40, 4040, 800, 10), [88, 136], "not every bit changes the page");
  assert.deepEqual(rowsInSight(1000, 40, 40_000, 800, 10), [984, 1000]);
  assert.deepEqual(rowsInSight(5, 40, 4000, 800, 10), [4, 5], "fewer than before");
  assert.deepEqual(rowsInSight(0, 40, 0, 800, 10), [0, 0]);
  assert.deepEqual(rowsInSight(1000, 0, 0, 800, 30), [0, 30], "nothing was measured yet");
});
