import assert from "node:assert/strict";
import { test } from "node:test";
import { load } from "./load.mjs";

const { profileMistake, profileShape } = await load("load_profile.js");
const box = { left: 0, right: 100, top: 0, bottom: 50 };
const valid = { users: 10, workers: 2, rampS: 5, durationS: 10 };

test("a ramp and a plateau", () => {
  assert.deepEqual(profileShape(valid, box), {
    line: "M0 50L50.0 0L100 0L100 50",
    area: "M0 50L50.0 0L100 0L100 50Z",
    rampX: 50,
  });
  assert.equal(profileShape({ ...valid, rampS: 0 }, box).line, "M0 0L0.0 0L100 0L100 50");
  assert.equal(profileShape({ ...valid, rampS: 10 }, box), null);
});

test("each mistake has its sentence", () => {
  assert.equal(profileMistake(valid), null);
  for (const [change, words] of [
    [{ users: 0 }, "Users"],
    [{ users: NaN }, "Users"],
    [{ workers: 11 }, "one worker per user"],
    [{ durationS: null }, "duration"],
    [{ rampS: null }, "ramp-up"],
    [{ durationS: 0, rampS: 0 }, "one second"],
    [{ rampS: 10 }, "shorter"],
  ]) {
    assert.match(profileMistake({ ...valid, ...change }), new RegExp(words, "i"));
  }
});
