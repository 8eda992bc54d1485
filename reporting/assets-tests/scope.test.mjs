import assert from "node:assert/strict";
import { test } from "node:test";
import { load } from "./load.mjs";

const { changed, formatScope, isOpen, isSame, isWhole, moved, parseScope, phaseOf, readSecond, readWindow, shifted, spanned, windowOf, windowText } =
  await load("scope.js");

test("a scope survives its address", () => {
  const scopes = [
    {},
    { from: 65, to: 100 },
    { to: 5 },
    { from: 7 },
    { endpoint: "GET /a?b=c&d e+f%20#ü" },
    { from: 1, to: 2, endpoint: "POST /", agent: "eu-west 1", outcome: "failed", saturated: "leave-out" },
  ];
  for (const scope of scopes) {
    assert.deepEqual(parseScope(`?${formatScope(scope)}`), scope);
    assert.equal(isWhole(scope), Object.keys(scope).length === 0);
  }
  assert.equal(formatScope({ endpoint: "GET /a b", from: 1 }), "from=1&endpoint=GET+%2Fa+b");
  assert.deepEqual(parseScope("?from=&to=&endpoint=&other=1"), {});
  assert.deepEqual(parseScope("?from=0&to=9"), { to: 9 }, "from zero is from the beginning");
  assert.deepEqual(parseScope("?from=x"), { from: "x" }, "the server says what is wrong with it");
});

test("members come and go", () => {
  const scope = { from: 1, to: 2, agent: "a" };
  assert.deepEqual(changed(scope, { endpoint: "GET /" }), { from: 1, to: 2, endpoint: "GET /", agent: "a" });
  assert.deepEqual(changed(scope, { from: undefined, to: null, agent: "" }), {});
  assert.ok(isSame(changed({}, { from: 0, to: 2 }), { to: 2 }));
  assert.ok(!isSame({ to: 2 }, { to: 3 }));
  assert.equal(windowOf({ agent: "a" }), null);
  assert.deepEqual(windowOf({ from: 3 }), { from: 3, to: null });
});

test("a phase is recognised by its window", () => {
  const phases = [
    { name: "ramp-up", from: 0, to: 30 },
    { name: "steady", from: 30, to: null },
  ];
  assert.equal(phaseOf({}, phases), "whole");
  assert.equal(phaseOf({ agent: "a" }, phases), "whole");
  assert.equal(phaseOf({ to: 30 }, phases), "ramp-up");
  assert.equal(phaseOf({ from: 30 }, phases), "steady");
  assert.equal(phaseOf({ from: 30, to: 60 }, phases), null);
});

test("times are read as people write them", () => {
  for (const [text, seconds] of [
    ["0", 0],
    ["65", 65],
    [" 65s ", 65],
    ["1:05", 65],
    ["1:01:05", 3665],
    ["1m5s", 65],
    ["1h 2m", 3720],
    ["2M", 120],
    ["", null],
    ["-1", null],
    ["1.5", null],
    ["x", null],
    ["1:2:3:4", null],
    ["1:", null],
    ["9".repeat(30), null],
  ])
    assert.equal(readSecond(text), seconds, text);
});

test("a window is read or what is wrong with it is said", () => {
  assert.deepEqual(readWindow("1:05", "100", 300), { from: 65, to: 100 });
  assert.deepEqual(readWindow("", "", 300), { from: 0, to: undefined });
  assert.deepEqual(readWindow("", "", 0), { from: 0, to: undefined }, "the whole of a run without results");
  assert.deepEqual(readWindow("10", "", 300), { from: 10, to: undefined });
  assert.equal(readWindow("x", "5", 300).field, "from");
  assert.equal(readWindow("1", "soon", 300).field, "to");
  assert.match(readWindow("9", "9", 300).error, /before/);
  assert.match(readWindow("9", "5", 300).error, /before/);
  assert.equal(readWindow("300", "", 300).error, "The run has results up to 5:00 only.");
  assert.equal(readWindow("5", "", 0).error, "The run has no results yet.");
});

test("what is dragged over becomes whole seconds", () => {
  assert.deepEqual(spanned(1.2, 4.1, 10), { from: 1, to: 5 });
  assert.deepEqual(spanned(4.1, 1.2, 10), { from: 1, to: 5 });
  assert.deepEqual(spanned(2, 2, 10), { from: 2, to: 3 });
  assert.deepEqual(spanned(-3, 99, 10), { from: 0, to: 10 });
  assert.deepEqual(spanned(42, 99, 10), { from: 9, to: 10 });
  assert.deepEqual(spanned(0, 1, 0), { from: 0, to: 1 });
});

test("the bar reads like a sentence", () => {
  assert.equal(windowText({}, 300), "the whole run, 5:00");
  assert.equal(windowText({ agent: "a" }, 0), "the whole run");
  assert.equal(windowText({ from: 65, to: 100 }, 300), "1:05 to 1:40 of 5:00");
  assert.equal(windowText({ from: 65 }, 300), "1:05 to the end of 5:00");
});

test("a window is open while its results may change", () => {
  assert.ok(isOpen({}, 1e6));
  assert.ok(isOpen({ from: 5 }, 1e6));
  assert.ok(isOpen({ to: 100 }, 50));
  assert.ok(isOpen({ to: 100 }, 110), "late results");
  assert.ok(!isOpen({ to: 100 }, 200));
  assert.ok(!isOpen({ from: 5 }, Infinity), "it is over");
});

test("a window is made longer, shorter and moved within the run", () => {
  assert.deepEqual(moved([10, 20], 0, 4.4, 60), [4, 20]);
  assert.deepEqual(moved([10, 20], 0, 99, 60), [19, 20], "a second is left");
  assert.deepEqual(moved([10, 20], 1, -5, 60), [10, 11]);
  assert.deepEqual(moved([10, 20], 1, 99, 60), [10, 60]);
  assert.deepEqual(shifted([10, 20], 4.6, 60), [15, 25]);
  assert.deepEqual(shifted([10, 20], -99, 60), [0, 10]);
  assert.deepEqual(shifted([10, 20], 99, 60), [50, 60]);
});
