import assert from "node:assert/strict";
import { test } from "node:test";
import { load } from "./load.mjs";

const { formErrors } = await load("start_form_check.js");

const valid = {
  texts: { users: "10", workers: "2", spawn_rate: "", given_ramp_up: "", arrival_rate: "" },
  durations: { duration: 10, ramp_up: 5, stop_timeout: 10 },
  users: 10,
};
const errorsWith = ({ texts = {}, durations = {}, users = 10 }) => {
  const errors = formErrors({
    texts: { ...valid.texts, ...texts },
    durations: { ...valid.durations, ...durations },
    users,
  });
  return Object.entries(errors).filter(([, text]) => text !== null);
};

test("a valid form has no errors", () => {
  assert.deepEqual(errorsWith({}), []);
  assert.deepEqual(errorsWith({ texts: { spawn_rate: "2.5" } }), []);
  assert.deepEqual(errorsWith({ texts: { arrival_rate: "100" } }), []);
  assert.deepEqual(errorsWith({ durations: { ramp_up: 0 } }), []);
  assert.deepEqual(errorsWith({ texts: { workers: "auto" }, users: 1 }), []);
  assert.deepEqual(errorsWith({ texts: { workers: "10" } }), [], "a worker for each user");
});

test("each error names its field and says what is right", () => {
  for (const [change, field, words] of [
    [{ texts: { users: "0" } }, "users", "at least 1"],
    [{ texts: { users: "many" } }, "users", "whole number"],
    [{ texts: { workers: "0" } }, "workers", "at least 1"],
    [{ texts: { workers: "all" } }, "workers", "or auto"],
    [{ texts: { workers: "11" } }, "workers", "no more workers than users"],
    [{ durations: { duration: null } }, "duration", "1h20m"],
    [{ durations: { duration: 0 } }, "duration", "one second"],
    [{ durations: { ramp_up: null } }, "ramp_up", "1h20m"],
    [{ durations: { stop_timeout: null } }, "stop_timeout", "1h20m"],
    [{ texts: { spawn_rate: "fast" } }, "spawn_rate", "above 0"],
    [{ texts: { spawn_rate: "2", given_ramp_up: "5s" } }, "spawn_rate", "both given"],
    [{ texts: { spawn_rate: "2", arrival_rate: "5" } }, "spawn_rate", "arrival rate"],
    [{ texts: { arrival_rate: "-1" } }, "arrival_rate", "above 0"],
  ]) {
    const errors = errorsWith(change);
    assert.deepEqual(errors.map(([name]) => name), [field]);
    assert.match(errors[0][1], new RegExp(words));
  }
});
