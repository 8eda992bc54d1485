import assert from "node:assert/strict";
import { test } from "node:test";
import { load } from "./load.mjs";

const { boundaries, byCell, lineNamed, nextOrder, pointsSince, rowsOf, summed, valueAt, widest } = await load("compare_data.js");

const data = {
  seconds: [0, 2, 4],
  lines: [
    { name: "200", values: [1, 2, 3] },
    { name: "500", values: [1, null, 1] },
  ],
};

test("a run's line is the sum of all lines, or one of them, since a moment", () => {
  assert.deepEqual(summed(data), [2, 2, 4]);
  assert.deepEqual(lineNamed(data, "200"), [1, 2, 3]);
  assert.deepEqual(lineNamed(data, "nothing"), [null, null, null]);
  assert.deepEqual(pointsSince(data, [5, 6, 7], 2), [[-2, 5], [0, 6], [2, 7]]);
});

test("a moment has the value of its step", () => {
  const points = [[-2, 5], [0, 6], [2, 7]];
  assert.equal(valueAt(points, -3, 2), null);
  assert.equal(valueAt(points, -1, 2), 5);
  assert.equal(valueAt(points, 2, 2), 7);
  assert.equal(valueAt(points, 4, 2), null);
  assert.equal(valueAt([], 0, 1), null);
});

test("a table has each moment of any run", () => {
  const lines = [[[0, 1], [1, 2]], [[1, 3], [2, null]]];
  assert.deepEqual(rowsOf(lines, String), [[0, "1", ""], [1, "2", "3"], [2, "", ""]]);
  assert.deepEqual(rowsOf([[[2, 1]], [[10, 2], [-1, 3]]], String).map(([moment]) => moment), [-1, 2, 10]);
});

test("the same moment is marked once", () => {
  const runs = [
    { name: "#1", from: 4, to: 60, since: 4 },
    { name: "#2", from: 6, to: 50, since: 6 },
  ];
  assert.deepEqual(boundaries(runs), [
    { second: 0, label: "compared from here" },
    { second: 56, label: "#1: compared to here" },
    { second: 44, label: "#2: compared to here" },
  ]);
});

test("steps are as wide as the widest", () => {
  assert.equal(widest([1, undefined, 4]), 4);
  assert.equal(widest([undefined]), 0);
});

test("columns begin with the greatest, names with A, and what is unknown comes last", () => {
  const first = nextOrder({ column: null, isDown: false }, "p95_ms");
  assert.deepEqual(first, { column: "p95_ms", isDown: true });
  assert.deepEqual(nextOrder(first, "p95_ms"), { column: "p95_ms", isDown: false });
  assert.deepEqual(nextOrder(first, "name"), { column: "name", isDown: false });
  assert.deepEqual(nextOrder(first, "run"), { column: "run", isDown: false });
  assert.deepEqual([null, 1, 3, -2].sort(byCell(true)), [3, 1, -2, null]);
  assert.deepEqual([null, 1, 3, -2].sort(byCell(false)), [-2, 1, 3, null]);
  assert.deepEqual(["b", "a"].sort(byCell(false)), ["a", "b"]);
  assert.deepEqual(["", "b", "a"].sort(byCell(false)), ["a", "b", ""]);
  assert.deepEqual([NaN, 2, 1].sort(byCell(false)), [1, 2, NaN]);
});
