import assert from "node:assert/strict";
import { test } from "node:test";
import { load } from "./load.mjs";

const { csv, fileWord, merged, nextSince, nines, ninesLabel, numbers, perSecond, plain, points, rows, soloed, widths } = await load("chart_data.js");

const chart = (step_s, seconds, end_s, lines, left_out = seconds.map(() => 0)) => ({
  step_s,
  seconds,
  end_s,
  left_out,
  lines: Object.entries(lines).map(([name, values]) => ({ name, values })),
});

test("a newer part takes the place of what it is about, and what is before stays", () => {
  const before = chart(5, [0, 5, 10], 12, { a: [1, 2, 3] });
  const newer = chart(5, [10, 15], 18, { a: [4, 5], b: [6, 7] });
  assert.deepEqual(merged(before, newer, false), chart(5, [0, 5, 10, 15], 18, { a: [1, 2, 4, 5], b: [0, 0, 6, 7] }));
  assert.deepEqual(merged(before, newer, true).lines[1].values, [null, null, 6, 7]);
  const nothing = chart(5, [], 12, {});
  assert.deepEqual(merged(before, nothing, true), chart(5, [0, 5, 10], 12, { a: [1, 2, 3] }));
});

test("a newer part with other steps does not fit, nor one without anything before", () => {
  const part = chart(8, [8], 16, { a: [1] });
  assert.equal(merged(chart(5, [0], 5, { a: [1] }), part, false), null);
  assert.equal(merged(null, part, false), null);
});

test("what may still change is asked for again", () => {
  assert.equal(nextSince(null), 0);
  assert.equal(nextSince(chart(1, [0, 1], 2, {})), 0);
  assert.equal(nextSince(chart(1, [90, 100], 101, {})), 85);
});

test("counts become rates of the seconds that each step has", () => {
  const data = chart(5, [3, 5, 10], 12, { a: [4, 10, 3], b: [null, 0, 1] });
  assert.deepEqual(widths(data), [2, 5, 2]);
  assert.deepEqual(perSecond(data).lines.map(({ values }) => values), [[2, 2, 1.5], [null, 0, 0.5]]);
  assert.deepEqual(points(data, data.lines[0]), [[3, 4], [5, 10], [10, 3]]);
  assert.deepEqual(rows(data, String), [[3, "4", ""], [5, "10", "0"], [10, "3", "1"]]);
});

test("rates are of the seconds that are not left out", () => {
  const data = chart(5, [3, 5, 10, 15], 16, { a: [4, 9, 0, 0] }, [0, 2, 5, 1]);
  assert.deepEqual(widths(data), [2, 3, 0, 0]);
  assert.deepEqual(perSecond(data).lines[0].values, [2, 3, null, null]);
  // An answer without any does not say so.
  const { left_out: _, ...newer } = chart(5, [10, 15], 20, { a: [5, 5] });
  assert.deepEqual(merged(data, newer, false).left_out, [0, 2, 0, 0]);
  assert.deepEqual(merged(newer, { ...newer, seconds: [15], lines: [], left_out: [3] }, false).left_out, [0, 3]);
});

test("a line is shown alone, and all of them when it is chosen again", () => {
  const names = ["a", "b", "c"];
  assert.deepEqual(soloed(names, new Set(names), "b"), new Set(["b"]));
  assert.deepEqual(soloed(names, new Set(["a"]), "b"), new Set(["b"]));
  assert.deepEqual(soloed(names, new Set(["b"]), "b"), new Set(names));
  assert.deepEqual(soloed(names, new Set(), "b"), new Set(["b"]));
});

test("a table as CSV quotes what has to be", () => {
  assert.equal(csv([["a", 'b "c"'], [1, "x,y"], [null, "two\nlines"]]), 'a,"b ""c"""\r\n1,"x,y"\r\n,"two\nlines"\r\n');
});

test("files have numbers that programs read", () => {
  const data = chart(1, [0, 1], 2, { rate: [0.995, null], depth: [-12345.5, 1e6] });
  assert.equal(csv(numbers(data)), "0,0.995,-12345.5\r\n1,,1000000\r\n");
  assert.deepEqual(["12,345", "-12,345", "-1,234,567.5", "1,2", "a 1,234", 7].map(plain), ["12345", "-12345", "-1234567.5", "1,2", "a 1,234", 7]);
});

test("a name is a part of a file's name", () => {
  assert.equal(fileWord("queue & depth / jobs"), "queue-depth-jobs");
  assert.equal(fileWord("../..\\:*?"), "");
  assert.equal(fileWord("größe 長さ"), "größe-長さ");
  assert.equal([...fileWord("x".repeat(500))].length, 60);
});

test("an axis of nines has its percentiles at whole places", () => {
  assert.deepEqual([0, 1, 2, 3, 4].map(ninesLabel), ["0%", "90%", "99%", "99.9%", "99.99%"]);
  for (const [percentile, place] of [[0, 0], [90, 1], [99, 2], [99.9, 3]])
    assert.ok(Math.abs(nines(percentile) - place) < 1e-9, String(percentile));
  assert.ok(Math.abs(nines(100) - 9) < 1e-9, "the greatest has a place, too");
});
