import assert from "node:assert/strict";
import { test } from "node:test";
import { load } from "./load.mjs";

const { RunData, axisEnd, axisStep, groupSamples, ratePoints, thinned } = await load("series.js");

const point = (second, requests = second) => ({ second, users: 1, requests, failures: 0 });
const delta = (series, more = {}) => ({ reset: false, series, step_s: 1, samples: [], samples_of: 0, ...more });

test("points are kept in order and replaced by second", () => {
  const data = new RunData();
  data.apply(delta([point(0), point(1), point(3)]));
  data.apply(delta([point(2), point(3, 30), point(4)]));
  assert.deepEqual(
    data.points.map(({ second, requests }) => [second, requests]),
    [
      [0, 0],
      [1, 1],
      [2, 2],
      [3, 30],
      [4, 4],
    ],
  );
  data.apply(delta([point(7)], { reset: true, step_s: 10 }));
  assert.deepEqual(ratePoints(data.points, "requests"), [[7, 0.7]]);
  assert.equal(data.end(), 17);
});

test("thinning keeps failures", () => {
  const samples = Array.from({ length: 1_000 }, (_, index) => ({ failed: index % 100 === 0 }));
  const kept = thinned(samples, 300);
  assert.ok(kept.length <= 300);
  assert.equal(kept.filter(({ failed }) => failed).length, 10);
  assert.ok(
    thinned(
      samples.map(() => ({ failed: true })),
      300,
    ).length <= 300,
  );
});

test("the axis ends where the reader expects it", () => {
  assert.equal(axisEnd(10, 60, false), 60);
  assert.equal(axisEnd(34, 60, true), 34);
  assert.equal(axisEnd(0, 60, true), 60);
  assert.equal(axisEnd(1_000, 86_400, false), 1_200);
  assert.equal(axisEnd(86_000, 86_400, false), 86_400);
});

test("an axis has marks where clocks have them", () => {
  assert.deepEqual(
    [
      [60, 7],
      [60, 3],
      [3_600, 7],
      [4_320, 8],
      [86_400, 8],
      [864_000, 4],
    ].map(([span, most]) => axisStep(span, most)),
    [10, 30, 600, 600, 10_800, 259_200],
  );
});

test("samples are grouped by endpoint and outcome; beyond the most they share one", () => {
  const sample = (name, failed = false) => ({ method: "GET", name, failed, at_s: 1, response_ms: 2 });
  const groups = groupSamples([sample("a"), sample("a", true), sample("b"), sample("c"), sample("a")], 2);
  assert.deepEqual(
    groups.map(({ name, failed, points }) => [name, failed, points.length]),
    [
      ["a", false, 2],
      ["a", true, 1],
      ["(other)", false, 2],
    ],
  );
});
