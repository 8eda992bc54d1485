import assert from "node:assert/strict";
import { test } from "node:test";
import { load } from "./load.mjs";

const { EndpointColours, busiest } = await load("endpoint_colours.js");

const endpoints = (count) => Array.from({ length: count }, (_, number) => ({ method: "GET", name: `/page/${number}` }));
const shown = (colours, list, failed = false) =>
  list.map(({ method, name }) => JSON.stringify(colours.of(method, name, failed)));

test("an endpoint has the same colour in every run that has the same endpoints, in whatever order they come", () => {
  const list = endpoints(12);
  const [one, other] = [new EndpointColours(), new EndpointColours()];
  one.add(list);
  other.add([...list].reverse());
  assert.deepEqual(shown(one, list), shown(other, list));
  assert.deepEqual(shown(one, list, true), shown(other, list, true));
});

test("alone an endpoint has the colour that it has beside others, unless one of them has it", () => {
  const list = endpoints(5);
  const together = new EndpointColours();
  together.add(list);
  const alone = list.map((endpoint) => shown(new EndpointColours(), [endpoint])[0]);
  const same = shown(together, list).filter((colour, at) => colour === alone[at]).length;
  assert.ok(same >= 3, `${same} of 5`);
});

test("ten endpoints have different hues, thirty different colours, and more are no error", () => {
  const list = endpoints(100);
  const ten = new EndpointColours();
  ten.add(list.slice(0, 10));
  assert.equal(new Set(list.slice(0, 10).map(({ method, name }) => ten.of(method, name, false).hue)).size, 10);
  const colours = new EndpointColours();
  colours.add(list.slice(0, 30));
  assert.equal(new Set(shown(colours, list.slice(0, 30))).size, 30);
  colours.add(list);
  assert.equal(shown(colours, list).length, 100);
});

test("failures have hues of their own, and ten endpoints have different ones", () => {
  const list = endpoints(10);
  const colours = new EndpointColours();
  colours.add(list);
  const hues = (failed) => list.map(({ method, name }) => colours.of(method, name, failed).hue);
  assert.ok(hues(true).every((hue) => hue <= 30 || hue >= 330), "reds");
  assert.ok(hues(true).every((hue) => !hues(false).includes(hue)));
  assert.equal(new Set(shown(colours, list, true)).size, 10);
});

test("an endpoint keeps its colour when others come", () => {
  const list = endpoints(20);
  const colours = new EndpointColours();
  colours.add(list.slice(10));
  const before = shown(colours, list.slice(10));
  colours.add(list);
  assert.deepEqual(shown(colours, list.slice(10)), before);
});

test("the busiest are chosen, of those with as many requests the first by name", () => {
  const rows = [["b", 5], ["c", 9], ["a", 5]].map(([name, requests]) => ({ method: "GET", name, requests }));
  assert.deepEqual(busiest(rows, 2).map(({ name }) => name), ["a", "c"]);
});
