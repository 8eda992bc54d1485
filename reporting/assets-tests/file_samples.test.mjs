import assert from "node:assert/strict";
import { test } from "node:test";
import { load } from "./load.mjs";

const { samplesOfDot, samplesOfError, shownResponse } = await load("file_samples.js");

test("a dot's response time has three digits, as the server rounds", () => {
  // From DotChanges::shown_response_us.
  const pairs = [
    [0, 0],
    [7, 7],
    [999, 999],
    [1_004, 1_000],
    [1_005, 1_010],
    [12_349, 12_300],
    [12_350, 12_400],
    [99_950, 100_000],
  ];
  for (const [us, shown] of pairs) assert.equal(shownResponse(us), shown);
});

const sample = (at_s, response_ms, name = "/a") => ({ at_s, response_ms, method: "GET", name });

test("a dot stands for the requests of its millisecond, endpoint and time", () => {
  const samples = [sample(1.2345, 12.349), sample(1.2349, 12.31), sample(1.2345, 12.36), sample(1.2351, 12.3), sample(1.234, 12.3, "/b")];
  const found = samplesOfDot(samples, new URLSearchParams({ at_ms: 1234, response_us: 12_300, endpoint: "GET /a" }));
  assert.deepEqual(found, samples.slice(0, 2));
});

test("an error has its own samples", () => {
  const failed = (error, name) => ({ ...sample(1, 1, name), error });
  const samples = [failed("x", "/a"), failed("y", "/a"), failed("x", "/b")];
  const kept = (error, name, samples, place = null) => ({ method: "GET", name, error, place, samples });
  // There was no room for all that are kept.
  const errors = [kept("x", "/a", 4), kept("y", "/a", 1), kept("x", "/b", 2), kept("x", "/a", 3, "main.rs:1")];
  const answer = (endpoint, error) => samplesOfError(samples, new URLSearchParams({ endpoint, error }), errors);
  assert.deepEqual(answer("GET /a", "x"), { samples: [samples[0]], of: 4 });
  assert.deepEqual(answer("GET /a", "x (main.rs:1)"), { samples: [], of: 3 });
});
