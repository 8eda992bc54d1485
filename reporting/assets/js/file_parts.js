// The results of a run in parts, as src/web/report_file/parts.rs writes them, and what parts add up to. Pure: no DOM here. Numbers add up as
// src/measure/interval/sums.rs says, and percentiles are read as src/measure/interval/value_counts.rs does.

/** Outcomes by the bits of a part's first byte. */
const OUTCOMES = ["ok", "failed", "mixed"];
/** log2 of the counts of one doubling in a histogram. */
const MAGNITUDE = 10;
const HALF = 1 << MAGNITUDE;
/** More than the position of the longest time, 1 h. */
const POSITIONS = 23 * HALF;
/** The times among an interval's numbers: how many, least, greatest, sum. */
const TIMES = {
  response: ["requests", "min_us", "max_us", "sum_us"],
  intended: ["intended_count", "intended_min_us", "intended_max_us", "intended_sum_us"],
  first_byte: ["ttfb_count", "ttfb_min_us", "ttfb_max_us", "ttfb_sum_us"],
};
const EXTREMES = new Set(Object.values(TIMES).flatMap(([, least, greatest]) => [least, greatest]));
/** The histogram of each. */
export const MEASURE_OF = { response: "histogram", intended: "intended_histogram", first_byte: "ttfb_histogram" };

/** Reads LEB128. */
export class Reader {
  at = 0;

  constructor(bytes) {
    this.bytes = bytes;
  }

  number() {
    let value = 0;
    let scale = 1;
    for (;;) {
      const byte = this.bytes[this.at++];
      if (byte === undefined) throw new Error("the parts end too early");
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
      scale *= 128;
    }
  }

  /** A number that may be negative. */
  signed() {
    const value = this.number();
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }

  /** The same of any size. */
  signedBig() {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = this.bytes[this.at++];
      if (byte === undefined) throw new Error("the parts end too early");
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value % 2n === 0n ? value / 2n : -(value + 1n) / 2n;
    }
  }

  /** [from, to] of what stands behind its length. */
  range() {
    const length = this.number();
    this.at += length;
    return [this.at - length, this.at];
  }
}

/** Gives `visit` each position of counts that has one, in ascending order: ZigZag LEB128, negative for so many zeros. */
export function visitCounts(bytes, from, to, visit) {
  let position = 0;
  const reader = new Reader(bytes);
  reader.at = from;
  while (reader.at < to) {
    const count = reader.signed();
    if (count > 0) visit(position, count);
    position += count < 0 ? -count : 1;
  }
}

/** Least value that is counted at a position. */
export function valueAt(position) {
  const bucket = position >> MAGNITUDE;
  return bucket === 0 ? position : ((position & (HALF - 1)) + HALF) * 2 ** (bucket - 1);
}

/** The value in the middle of them. */
function middleOf(position) {
  const least = valueAt(position);
  return least + Math.floor((valueAt(position + 1) - least) / 2);
}

/** A sum of intervals: its numbers, and counts of some measures. */
export class Sum {
  #counts = new Map();

  /** `names`: the numbers that intervals have. */
  constructor(names) {
    this.numbers = Object.fromEntries(names.map((name) => [name, 0]));
  }

  /** Adds an interval's numbers. */
  addNumbers(added) {
    const { numbers } = this;
    for (const [count, least, greatest] of Object.values(TIMES)) {
      if (added[count] === 0) continue;
      numbers[least] = numbers[count] === 0 ? added[least] : Math.min(numbers[least], added[least]);
      numbers[greatest] = Math.max(numbers[greatest], added[greatest]);
    }
    for (const name of Object.keys(numbers)) if (!EXTREMES.has(name)) numbers[name] += added[name];
  }

  /** Adds the counts of a measure, which `visitCounts` gives. */
  addCounts(measure, visitCounts) {
    let counts = this.#counts.get(measure);
    if (!counts) this.#counts.set(measure, (counts = new Float64Array(POSITIONS)));
    visitCounts(measure, (position, times) => (counts[position] += times));
  }

  /** Adds another sum. */
  add(other) {
    this.addNumbers(other.numbers);
    for (const measure of other.#counts.keys()) {
      this.addCounts(measure, (_, visit) => other.counts(measure).forEach(([position, times]) => visit(position, times)));
    }
  }

  /** [position, count] in ascending order. */
  counts(measure) {
    const pairs = [];
    this.#counts.get(measure)?.forEach((times, position) => times > 0 && pairs.push([position, times]));
    return pairs;
  }

  /** {count, min, max, sum} of some times, in µs. */
  times(of) {
    const [count, min, max, sum] = TIMES[of].map((name) => this.numbers[name]);
    return { count, min, max, sum };
  }

  /** The percentiles of ascending fractions of some times, in µs; null without any. */
  percentiles(of, fractions) {
    const { count, min, max } = this.times(of);
    if (count === 0) return null;
    const counts = this.counts(MEASURE_OF[of]);
    let [at, position, seen] = [0, 0, 0];
    return fractions.map((fraction) => {
      const index = Math.min(Math.floor(count * fraction), count - 1);
      if (index === count - 1) return max;
      while (seen <= index) {
        if (at === counts.length) return max;
        position = counts[at][0];
        seen += counts[at][1];
        at += 1;
      }
      return Math.min(Math.max(middleOf(position), min), max);
    });
  }
}

export class Parts {
  /** Places of endpoints by the name that addresses have. */
  #places;
  /** Of each group, which is an endpoint or all of them together, by part, [outcome, numbers, [from, to] of the bytes of each measure]. */
  #intervals;
  /** Of each group [outcome, second, requests, failures] in order of time. */
  #counts;

  /** `described`: names and edges; `bytes`: the parts. */
  constructor(described, bytes) {
    Object.assign(this, described);
    this.bytes = bytes;
    // Of several that read the same one is meant, as in the API.
    this.#places = new Map(this.endpoints.map((_, place) => [this.nameOf(place), place]).reverse());
    const reader = new Reader(bytes);
    const partCount = this.edges.length - 1;
    const groups = this.together ? [null] : this.endpoints;
    this.#intervals = groups.map(() => Array.from({ length: partCount }, () => this.#readPart(reader)));
    this.#counts = groups.map(() => OUTCOMES.flatMap((outcome) => readCounts(reader, outcome)));
    /** [second, change of users, {started, late, skipped}] */
    this.users = readList(reader, (second) => [second, reader.signed(), readArrivals(reader)]);
    /** Of each error [part, {occurrences, first, last, agents}]. */
    this.errorParts = this.errors.map(() => readList(reader, (part) => [part, this.#readError(reader, part)]));
    /** Of each custom metric [part, from, to] of its stored row. */
    this.metricParts = this.metrics.map(() => readList(reader, (part) => [part, ...reader.range()]));
  }

  /** Where the run's results end, in seconds of run time. */
  get end() {
    return this.edges.at(-1);
  }

  #readPart(reader) {
    const mask = reader.number();
    const intervals = [];
    OUTCOMES.forEach((outcome, bit) => {
      if ((mask & (1 << bit)) === 0) return;
      const numbers = Object.fromEntries(this.numbers.map((name) => [name, reader.number()]));
      const places = this.measures.map(() => reader.range());
      intervals.push([outcome, numbers, places]);
    });
    return intervals;
  }

  #readError(reader, part) {
    const occurrences = reader.number();
    const first = this.edges[part] + reader.number();
    const last = first + reader.number();
    return { occurrences, first, last, agents: readList(reader, (agent) => agent) };
  }

  /** A window of whole parts that has all seconds of [from, to): {from, to}, where what goes on to the end has no `to`. */
  fitted({ from = 0, to }) {
    // What has no seconds is refused as it was asked for.
    if (from >= this.end || to <= from) return { from, to };
    const before = this.edges.slice(0, -1).findLast((edge) => edge <= from) ?? 0;
    const after = to === undefined ? undefined : this.edges.find((edge) => edge >= to && edge > before);
    return { from: before, to: after === this.end ? undefined : after };
  }

  /** Which parts a window of whole parts has: [first, end). */
  range({ from = 0, to = this.end } = {}) {
    const at = (second) => {
      const index = this.edges.findIndex((edge) => edge >= second);
      return index < 0 ? this.edges.length - 1 : index;
    };
    return [at(from), Math.max(at(from), at(to))];
  }

  /** Places of the endpoints in a scope. */
  endpointsOf({ endpoint }) {
    if (endpoint === undefined) return this.endpoints.map((_, place) => place);
    const place = this.#places.get(endpoint);
    return place === undefined ? [] : [place];
  }

  /** Places of the groups of requests in a scope. */
  groupsOf(scope) {
    return this.together ? [0] : this.endpointsOf(scope);
  }

  /** An endpoint as addresses have it. */
  nameOf(place) {
    return this.endpoints[place].join(" ").trimStart();
  }

  /** Gives `visit` each interval of some parts of a scope, of groups at some `places`: its part, its numbers, and a function that takes a
   * measure and gives what it is called with each position that has counts, and these. */
  visit(scope, [first, end], visit, places = this.groupsOf(scope)) {
    for (const place of places) {
      for (let part = first; part < end; part += 1) {
        for (const [outcome, numbers, ranges] of this.#intervals[place][part]) {
          if (scope.outcome !== undefined && scope.outcome !== outcome) continue;
          visit(part, numbers, (measure, visitCount) => {
            const [from, to] = ranges[this.measures.indexOf(measure)];
            visitCounts(this.bytes, from, to, visitCount);
          });
        }
      }
    }
  }

  /** Gives `visit` the second, group, requests and failures of each count of a scope in [from, to). */
  visitCounts(scope, from, to, visit) {
    for (const place of this.groupsOf(scope)) {
      for (const [outcome, second, requests, failures] of this.#counts[place]) {
        if (second < from || second >= to || (scope.outcome !== undefined && scope.outcome !== outcome)) continue;
        visit(second, place, requests, failures);
      }
    }
  }
}

/** A list of things, each after the distance of its number from the one before. */
function readList(reader, read) {
  let number = 0;
  return Array.from({ length: reader.number() }, () => read((number += reader.number())));
}

function readCounts(reader, outcome) {
  return readList(reader, (second) => [outcome, second, reader.number(), reader.number()]);
}

function readArrivals(reader) {
  return { started: reader.number(), late: reader.number(), skipped: reader.number() };
}
