import assert from "node:assert/strict";
import { test } from "node:test";
import { load } from "./load.mjs";

const { idealLine, profileShape } = await load("load_profile.js");
const box = { left: 0, right: 100, top: 0, bottom: 50 };

const S = 1e6;
const profile = (endS, ...steps) => ({
  steps: steps.map(([at, users, over]) => ({ at_us: at * S, users, over_us: over * S })),
  rates: [],
  ends_at_us: endS * S,
});

test("a ramp and a plateau are drawn in their box", () => {
  assert.deepEqual(profileShape(profile(10, [0, 10, 5]), box), {
    line: "M0.0 50.0L50.0 0.0L100.0 0.0",
    area: "M0.0 50.0L50.0 0.0L100.0 0.0L100 50L0 50Z",
    peak: 10,
    rampX: 50,
  });
  assert.equal(profileShape(profile(10, [0, 10, 0]), box).line, "M0.0 50.0L0.0 0.0L100.0 0.0");
  // A ramp of twice the duration is cut half-way up, which is then the peak.
  const cut = profileShape(profile(10, [0, 10, 20]), box);
  assert.deepEqual([cut.line, cut.peak, cut.rampX], ["M0.0 50.0L100.0 0.0", 5, 100]);
});

test("there is nothing to draw without users or time", () => {
  for (const empty of [profile(0, [0, 10, 5]), profile(10), profile(10, [0, 0, 5]), profile(NaN, [0, 10, 5])]) {
    assert.equal(profileShape(empty, box), null);
  }
});

test("the planned line of a ramp and a plateau is cut at the axis", () => {
  assert.deepEqual(idealLine(profile(60, [0, 50, 20]), 60), [
    [0, 0],
    [20, 50],
    [60, 50],
  ]);
  assert.deepEqual(idealLine(profile(60, [0, 50, 20]), 10), [
    [0, 0],
    [10, 25],
  ]);
  assert.deepEqual(idealLine(profile(60, [0, 50, 0]), 30), [
    [0, 0],
    [0, 50],
    [30, 50],
  ]);
});

test("stages go up and down, also within a ramp that is not over", () => {
  assert.deepEqual(idealLine(profile(100, [0, 10, 10], [20, 0, 0], [40, 100, 20], [50, 20, 15]), 1_000), [
    [0, 0],
    [10, 10],
    [20, 10],
    [20, 0],
    [40, 0],
    [50, 50],
    [65, 20],
    [100, 20],
  ]);
  assert.deepEqual(idealLine(profile(100, [0, 100, 20], [10, 20, 15]), 15).at(-1), [15, 40], "from where the ramp was");
});

test("a profile may begin late, be empty, or change beyond the axis", () => {
  assert.deepEqual(idealLine(profile(10, [5, 3, 0]), 10), [
    [0, 0],
    [5, 0],
    [5, 3],
    [10, 3],
  ]);
  assert.deepEqual(idealLine(profile(0), 10), [[0, 0]]);
  assert.deepEqual(idealLine(profile(60, [0, 5, 0], [30, 50, 0]), 20).at(-1), [20, 5]);
});
