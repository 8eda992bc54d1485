// Lines of several runs over one axis. Pure: no DOM here.

/** The values of all lines of a chart's answer together; what is not there counts as nothing. */
export function summed({ seconds, lines }) {
  return seconds.map((_, index) => lines.reduce((sum, { values }) => sum + (values[index] ?? 0), 0));
}

/** The values of the line with this name; none where no line has it. */
export function lineNamed({ seconds, lines }, name) {
  return lines.find((line) => line.name === name)?.values ?? seconds.map(() => null);
}

/** [second, value] with seconds since a moment of the run. */
export function pointsSince({ seconds }, values, moment) {
  return seconds.map((second, index) => [second - moment, values[index]]);
}

/** The value at a moment: that of the step, `width` seconds wide, in which it is; null where there is none. */
export function valueAt(points, moment, width) {
  let low = 0;
  let high = points.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (points[middle][0] <= moment) low = middle + 1;
    else high = middle;
  }
  const point = points[low - 1];
  return point && moment < point[0] + width ? point[1] : null;
}

/** The rows of a table: each moment that any line has, then the value of each line as `text` writes it. */
export function rowsOf(lines, text) {
  const values = lines.map((points) => new Map(points));
  const moments = [...new Set(lines.flatMap((points) => points.map(([moment]) => moment)))].sort((a, b) => a - b);
  const cell = (value) => (value === null || value === undefined ? "" : text(value));
  return moments.map((moment) => [moment, ...values.map((of) => cell(of.get(moment)))]);
}

/** Where what is compared begins and ends: [{second, label}], each moment once. `runs`: {name, from, to, since}, what they have in
 * seconds of run time, and the moment that the axis counts from. */
export function boundaries(runs) {
  const marks = new Map();
  const add = (second, word, name) => {
    const key = `${second} ${word}`;
    const mark = marks.get(key) ?? { second, word, names: [] };
    mark.names.push(name);
    marks.set(key, mark);
  };
  for (const { name, from, to, since } of runs) {
    add(from - since, "compared from here", name);
    add(to - since, "compared to here", name);
  }
  return [...marks.values()].map(({ second, word, names }) => ({
    second,
    label: names.length === runs.length ? word : `${names.join(", ")}: ${word}`,
  }));
}

/** The least of `steps` that all can have: the widest. */
export function widest(steps) {
  return steps.reduce((most, step) => Math.max(most, step ?? 0), 0);
}

/** How rows are ordered next when this column's head is pressed: the greatest first, then the least, names from A to Z first. */
export function nextOrder(order, column) {
  const isText = column === "name" || column === "run";
  if (order.column !== column) return { column, isDown: !isText };
  return { column, isDown: !order.isDown };
}

/** Compares two cells, numbers or texts; what is not known comes last either way. */
export function byCell(isDown) {
  return (one, other) => {
    const isUnknown = (cell) => cell === null || cell === "" || Number.isNaN(cell);
    if (isUnknown(one) || isUnknown(other)) return Number(isUnknown(one)) - Number(isUnknown(other));
    const order = typeof one === "number" ? one - other : one.localeCompare(other, "en");
    return isDown ? -order : order;
  };
}
