import assert from "node:assert/strict";
import { test } from "node:test";
import { load } from "./load.mjs";

const { idealLine, profileMistake, profileShape } = await load("load_profile.js");
const box = { left: 0, right: 100, top: 0, bottom: 50 };
const valid = { users: 10, workers: 2, rampS: 5, durationS: 10 };

test("a ramp and a plateau", () => {
  assert.deepEqual(profileShape(valid, box), {
    line: "M0 50L50.0 0L100 0L100 50",
    area: "M0 50L50.0 0L100 0L100 50Z",
    rampX: 50,
  });
  assert.equal(profileShape({ ...valid, rampS: 0 }, box).line, "M0 0L0.0 0L100 0L100 50");
  // A ramp of twice the duration is cut half-way up.
  assert.equal(profileShape({ ...valid, rampS: 20 }, box).line, "M0 50L100.0 25L100 25L100 50");
  assert.equal(profileShape({ ...valid, durationS: 0 }, box), null);
});

test("each mistake has its sentence", () => {
  assert.equal(profileMistake(valid), null);
  for (const [change, words] of [
    [{ users: 0 }, "Users"],
    [{ users: NaN }, "Users"],
    [{ workers: 11 }, "more workers than users"],
    [{ durationS: null }, "duration"],
    [{ rampS: null }, "ramp-up"],
    [{ durationS: 0, rampS: 0 }, "one second"],
  ]) {
    assert.match(profileMistake({ ...valid, ...change }), new RegExp(words, "i"));
  }
});

const S = 1e6;
const profile = (endS, ...steps) => ({
  steps: steps.map(([at, users, over]) => ({ at_us: at * S, users, over_us: over * S })),
  rates: [],
  ends_at_us: endS * S,
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
