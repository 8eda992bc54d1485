// node --test reporting/assets-tests/
// The same examples as in src/results/page_text.rs: server and browser must write a number alike.
import assert from "node:assert/strict";
import { test } from "node:test";
import { load } from "./load.mjs";

const { count, rate, ms, percent, quantity, duration, clock, parseDuration, dayAndTime, messageParts } = await load("format.js");

test("numbers read as on the server", () => {
  assert.deepEqual([0, 999, 1_234_567].map(count), ["0", "999", "1,234,567"]);
  assert.deepEqual([0, 1.234, 51.26, 12_345.6].map(rate), ["0", "1.23", "51.3", "12,346"]);
  assert.deepEqual([1.234, 9.999, 12.34, 1234.5, NaN].map(ms), ["1.23", "10.0", "12.3", "1,235", "0"]);
  assert.deepEqual([0, 1e-6, 0.1719, 0.999999, 1].map(percent), ["0%", "<0.01%", "17.19%", ">99.99%", "100%"]);
  assert.deepEqual([0, 61.9, 4805].map(duration), ["0s", "1m 1s", "1h 20m 5s"]);
});

test("values of custom metrics read as on the server", () => {
  const values = [0, 0.000001, 0.0123, -0.5, 1, 1.125, 2.5, 9.999, -53.24, 999.94, 1_000.4, 12_345_678.9, -1e12, 1e21];
  const texts = ["0", "0.000001", "0.0123", "-0.5", "1", "1.13", "2.5", "10", "-53.2", "999.9", "1,000", "12,345,679", "-1,000,000,000,000"];
  assert.deepEqual(values.map(quantity), [...texts, "18,446,744,073,709,551,615"]);
  assert.equal(percent(0.03125), "3.13%");
});

test("a message begins with a capital letter and has its code apart, as on the server", () => {
  assert.deepEqual(messageParts("no agent"), [["No agent", false]]);
  assert.deepEqual(messageParts("option `a<b` is secret\n`x` is not valid"), [
    ["Option ", false], ["a<b", true], [" is secret", false], ["\n", false], ["", false], ["x", true], [" is not valid", false],
  ]);
  assert.deepEqual(messageParts("one ` alone"), [["One ` alone", false]]);
  assert.deepEqual(messageParts(""), [["", false]]);
});

test("run time on an axis", () => {
  assert.deepEqual([0, 59, 60, 90, 3600, 3723].map(clock), ["0s", "59s", "1:00", "1:30", "1:00:00", "1:02:03"]);
});

test("durations are read as the server reads them", () => {
  assert.deepEqual(["90", "90s", "3m", "1h20m", " 3h30m10s "].map(parseDuration), [90, 90, 180, 4800, 12_610]);
  assert.deepEqual(["1.5h", "2000ms", "1h 20m 5s", "2.0", "1.5s500ms"].map(parseDuration), [5400, 2, 4805, 2, 2]);
  assert.deepEqual(["", "m", "10s5m", "500ms1s", "-3", "1d", ".5s", "5.", "1h20", "1e3"].map(parseDuration), Array(10).fill(null));
  // The form's durations are whole seconds.
  assert.deepEqual(["1.5", "500ms", "1.5s"].map(parseDuration), Array(3).fill(null));
});

test("another year is named", () => {
  const at = new Date(2025, 1, 3, 4, 5, 6).getTime() * 1000;
  assert.equal(dayAndTime(at, new Date(2025, 5, 1)), "Feb 3, 04:05:06");
  assert.equal(dayAndTime(at, new Date(2026, 5, 1)), "Feb 3 2025, 04:05:06");
});
