import assert from "node:assert/strict";
import { test } from "node:test";
import { load } from "./load.mjs";

const { RunData, axisEnd, axisStep, groupSamples, oneIn, ratePoints, symbols } = await load("series.js");

const point = (second, requests = second) => ({ second, users: 1, requests, failures: 0 });
const delta = (series, more = {}) => ({ reset: false, series, step_s: 1, dots: dots(), ...more });
const dots = (more = {}) => ({
  forget: false,
  gone: [],
  endpoints: [],
  at_ms: [],
  response_us: [],
  endpoint: [],
  kind: [],
  drawn_share: 1,
  failed_share: 1,
  of: 0,
  ...more,
});

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
  data.apply(delta([point(2.5)]));
  assert.deepEqual(data.points.map(({ second }) => second), [0, 1, 2, 2.5, 3, 4], "one that comes late takes the place of none");
  data.apply(delta([point(7)], { reset: true, step_s: 10 }));
  assert.deepEqual(ratePoints(data.points, "requests"), [[7, 0.7]]);
  assert.equal(data.end(), 17);
});

test("seconds that are left out do not count in rates, and a step without any has none", () => {
  const data = new RunData();
  data.apply(delta([point(0, 30), { ...point(5, 30), left_out: 2 }, { ...point(10, 0), left_out: 5 }], { step_s: 5 }));
  assert.deepEqual(ratePoints(data.points, "requests"), [
    [0, 6],
    [5, 10],
    [10, null],
  ]);
});

test("dots come in order of time and go by number", () => {
  const data = new RunData();
  const endpoints = [
    ["GET", "/a"],
    ["GET", "/b"],
  ];
  const first = { forget: true, endpoints, at_ms: [500, 250], response_us: [1_230, 40], endpoint: [1, 0], kind: [1, 3], next: 2, of: 9 };
  data.apply(delta([], { dots: dots(first) }));
  data.apply(delta([], { dots: dots({ gone: [0], at_ms: [100], response_us: [7], endpoint: [0], kind: [0], next: 3, of: 12 }) }));
  assert.deepEqual(
    data.samples.map(({ at_s, response_ms, name, failed, extra }) => [at_s, response_ms, name, failed, extra]),
    [
      [0.1, 0.007, "/a", false, false],
      [0.75, 0.04, "/a", false, true],
    ],
  );
  assert.equal(data.samplesOf, 12);
  // What a page that comes later gets, and then the same update as all others.
  const late = { forget: true, endpoints, at_ms: [100, 650], response_us: [7, 40], endpoint: [0, 0], kind: [0, 3], numbers: [2, -1], next: 3 };
  data.apply(delta([], { dots: dots(late) }));
  data.apply(delta([], { dots: dots({ gone: [2], at_ms: [900], response_us: [5], endpoint: [1], kind: [0], next: 4 }) }));
  assert.deepEqual(
    data.samples.map(({ at_s, name }) => [at_s, name]),
    [
      [0.75, "/a"],
      [0.9, "/b"],
    ],
  );
  data.apply(delta([], { dots: dots({ forget: true }) }));
  assert.deepEqual(data.samples, []);
  // Of another part of the run, with other endpoints and gaps between the numbers.
  const other = { forget: true, endpoints: [["GET", "/c"]], at_ms: [300], response_us: [9], endpoint: [0], kind: [2], numbers: [4], next: 7 };
  data.apply(delta([], { dots: dots({ ...other, drawn_share: 0.5, failed_share: 0.25 }) }));
  assert.deepEqual(data.samples.map(({ name }) => name), ["/c"]);
  assert.deepEqual(data.shares, { drawn: 0.5, failed: 0.25 });
  data.apply(delta([], { dots: dots({ gone: [4], next: 7 }) }));
  assert.deepEqual(data.samples, []);
});

test("the axis ends a little after what there is, and with the run", () => {
  assert.equal(axisEnd(0, 60, false), 20);
  assert.equal(axisEnd(0, 10, false), 10);
  assert.equal(axisEnd(50, 86_400, false), 55.00000000000001);
  assert.equal(axisEnd(58, 60, false), 60);
  assert.equal(axisEnd(63, 60, false), 63);
  assert.equal(axisEnd(34, 60, true), 34);
  assert.equal(axisEnd(0, 60, true), 20);
  const ends = Array.from({ length: 600 }, (_, second) => axisEnd(second, 86_400, false));
  assert.ok(ends.every((end, second) => second === 0 || end - ends[second - 1] < 2), "it grows smoothly");
});

test("a share reads as one in so many", () => {
  assert.deepEqual([1, 0.5, 0.4, 1 / 30, 0.0001].map(oneIn), ["all", "1 in 2", "1 in 2.5", "1 in 30", "1 in 10,000"]);
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

test("samples are grouped by endpoint and outcome; those of endpoints that are not named share one", () => {
  const sample = (name, failed = false) => ({ method: "GET", name, failed, extra: false, at_s: 1, response_ms: 2 });
  const named = ["b", "a"].map((name) => ({ method: "GET", name }));
  const groups = groupSamples([sample("a"), sample("a", true), sample("b"), sample("c"), sample("a")], named);
  assert.deepEqual(
    groups.map(({ name, failed, points }) => [name, failed, points.length]),
    [
      ["b", false, 1],
      ["a", false, 2],
      ["(other)", false, 1],
      ["a", true, 1],
    ],
  );
});

test("points that no line reaches are drawn by themselves", () => {
  const drawn = (values, isHeld) => {
    const points = values.map((value, second) => [second, value]);
    const { showSymbol, symbol } = symbols(points, isHeld);
    if (!showSymbol) return "";
    return points.map((point, dataIndex) => (symbol === "circle" || symbol(point, { dataIndex }) === "circle" ? "o" : ".")).join("");
  };
  assert.equal(drawn([1, null, 2, 3, null, 4, null]), "o....o.");
  assert.equal(drawn([null, 1, null, 0, null, 2]), ".o.o.o");
  assert.equal(drawn([1, 2, 3, null, 4, 5]), "", "each has a neighbour");
  assert.equal(drawn([1, null, 2, null, 3], true), "", "the line goes on");
  // Of so few all, however far apart.
  assert.equal(drawn([null, 7, null, null], true), "oooo");
  assert.equal(drawn([1, 2]), "oo");
});
