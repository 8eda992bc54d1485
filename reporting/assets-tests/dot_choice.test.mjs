import assert from "node:assert/strict";
import { test } from "node:test";
import { load } from "./load.mjs";

const { afterKey, described, dotAt, dotQuery, facts, logQuery, requestOf } = await load("dot_choice.js");

const dot = (at_s, response_ms, failed = false) => ({ at_s, response_ms, failed, method: "GET", name: "/a b" });
const dots = [dot(0.5, 10), dot(1.25, 0.005), dot(1.25, 0.005, true), dot(9, 3)];

test("keys go along time and stop at its ends", () => {
  assert.equal(afterKey(dots, null, "ArrowRight"), 0);
  assert.equal(afterKey(dots, null, "ArrowLeft"), 3);
  assert.equal(afterKey(dots, null, "Home"), 0);
  assert.equal(afterKey(dots, null, "End"), 3);
  assert.equal(afterKey(dots, dots[0], "ArrowRight"), 1);
  assert.equal(afterKey(dots, dots[0], "ArrowLeft"), 0);
  assert.equal(afterKey(dots, dots[1], "PageDown"), 3);
  assert.equal(afterKey(dots, dots[3], "Home"), 0);
  assert.equal(afterKey(dots, dots[0], "a"), null);
  assert.equal(afterKey([], null, "Home"), null);
  // One that went since.
  assert.equal(afterKey(dots, dot(7, 7), "ArrowRight"), 0);
});

test("a click finds the dot, of twins that of its outcome", () => {
  assert.equal(dotAt(dots, [1.25, 0.01], 0.01, true), dots[2]);
  assert.equal(dotAt(dots, [1.25, 0.01], 0.01, false), dots[1]);
  assert.equal(dotAt(dots, [1.25, 0.005], 0, false), dots[1]);
  assert.equal(dotAt(dots, [9, 3], 0.01, true), dots[3]);
  assert.equal(dotAt(dots, [9, 4], 0.01, true), null);
});

test("the server is asked in its own units", () => {
  assert.equal(dotQuery(dots[1]), "at_ms=1250&response_us=5&endpoint=GET+%2Fa+b");
  assert.equal(logQuery(1.25), "from=0&to=4&limit=50");
  assert.equal(logQuery(60.9), "from=58&to=63&limit=50");
  assert.equal(described(dots[2], 2, 4), "GET /a b, 0.01 ms at 1s, failure; 3 of 4");
  assert.equal(dotQuery({ ...dots[0], method: "", name: "step" }), "at_ms=500&response_us=10000&endpoint=step");
});

test("what was not recorded is said to be so, and no answer is no status", () => {
  const request = {
    ...dot(1.25, 1234.567, true),
    at: "2026-11-23T06:05:09.123456Z",
    first_byte_ms: null,
    status: 0,
    error: "<b>lost</b>",
    agent: "a1",
    worker: 0,
    user: null,
    trace_id: "0af7651916cd43dd8448eb211c80319c",
    kind: "slow",
  };
  assert.deepEqual(facts(request), [
    ["Request", "GET /a b"],
    ["Ended", "1.250 s (2026-11-23 06:05:09.123456 UTC)"],
    ["Response time", "1,234.567 ms"],
    ["Time to first byte", "not recorded"],
    ["Status", "no answer"],
    ["Outcome", "Failure"],
    ["Error", "<b>lost</b>"],
    ["Agent", "a1"],
    ["Worker", "0"],
    ["User", "not recorded"],
    ["Shown because", "kept as the slowest of its endpoint"],
    ["Trace", "0af7651916cd43dd8448eb211c80319c"],
  ]);
  const names = facts({ ...request, failed: false, error: null }).map(([name]) => name);
  assert.ok(!names.includes("Error"), "a success has no error");
  const others = [dot(1, 1, true), dot(1, 1, false)];
  assert.equal(requestOf(others, dot(1, 1)), others[1]);
  assert.equal(requestOf([], dot(1, 1)), null);
});
