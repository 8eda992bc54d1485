// How numbers read. src/results/page_text.rs says the same on the server, so that a value does not change its looks when the
// first live update replaces what the server rendered. Pure functions.

/** 12345 → "12,345" */
export function count(number) {
  return grouped(String(Math.round(number)));
}

function grouped(digits) {
  return digits.replace(/\B(?=(\d{3})+$)/g, ",");
}

function scaled(value) {
  if (!Number.isFinite(value) || value <= 0) return "0";
  if (value < 9.995) return value.toFixed(2);
  return null;
}

/** A rate per second: two places below 10, one below 1,000, none above. */
export function rate(perSecond) {
  return scaled(perSecond) ?? (perSecond < 999.95 ? perSecond.toFixed(1) : count(perSecond));
}

/** Milliseconds: two places below 10, one below 100, none above. */
export function ms(milliseconds) {
  return scaled(milliseconds) ?? (milliseconds < 99.95 ? milliseconds.toFixed(1) : count(milliseconds));
}

/** A fraction 0–1 as a percentage; neither end is reached by rounding. */
export function percent(fraction) {
  if (!Number.isFinite(fraction) || fraction <= 0) return "0%";
  if (fraction >= 1) return "100%";
  if (fraction < 0.0001) return "<0.01%";
  if (fraction > 0.9999) return ">99.99%";
  return `${rounded(fraction * 100, 2)}%`;
}

/** A number of at least 0 with so many decimals; what is in the middle of two is rounded up, as on the server. */
function rounded(number, places) {
  const scale = 10 ** places;
  return (Math.round(number * scale) / scale).toFixed(places);
}

/** Below each of these sizes a value of a custom metric has so many decimals: three significant digits, up to millionths. */
const DECIMALS = [
  [0.0009995, 6],
  [0.09995, 4],
  [0.9995, 3],
  [9.995, 2],
  [999.95, 1],
];
/** Sums end here. */
const MOST = 2n ** 64n - 1n;

/** A value of a custom metric, of any size and sign; src/results/metric_text.rs says the same. */
export function quantity(value) {
  const size = Math.abs(value);
  if (size === 0) return "0";
  const sign = value < 0 ? "-" : "";
  const known = DECIMALS.find(([below]) => size < below);
  if (known) return sign + rounded(size, known[1]).replace(/\.?0+$/, "");
  const whole = BigInt(Math.round(size));
  return sign + grouped(String(whole < MOST ? whole : MOST));
}

/** Seconds as "1h 20m 5s"; parts of a second are dropped. */
export function duration(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const parts = [
    [Math.floor(whole / 3600), "h"],
    [Math.floor(whole / 60) % 60, "m"],
    [whole % 60, "s"],
  ];
  return (
    parts
      .filter(([number]) => number > 0)
      .map(([number, unit]) => `${number}${unit}`)
      .join(" ") || "0s"
  );
}

/** Seconds of run time for an axis: "45s", "1:30", "1:02:03". */
export function clock(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole}s`;
  const two = (number) => String(number).padStart(2, "0");
  const minutes = Math.floor(whole / 60) % 60;
  return whole < 3600
    ? `${minutes}:${two(whole % 60)}`
    : `${Math.floor(whole / 3600)}:${two(minutes)}:${two(whole % 60)}`;
}

/** µs since 1970 as local date and time: "2026-11-23 07:04:42". */
export function localTime(atUs) {
  const date = new Date(atUs / 1000);
  const two = (number) => String(number).padStart(2, "0");
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${timeOfDay(atUs, false)}`;
}

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** µs since 1970 as local "Nov 23, 07:04:42", with the year when it is not this one. */
export function dayAndTime(atUs, now = new Date()) {
  const date = new Date(atUs / 1000);
  const year = date.getFullYear() === now.getFullYear() ? "" : ` ${date.getFullYear()}`;
  return `${MONTHS[date.getMonth()]} ${date.getDate()}${year}, ${timeOfDay(atUs, false)}`;
}

/** µs since 1970 as local time of day, "07:04:42" or "07:04:42.123". */
export function timeOfDay(atUs, withMillis = true) {
  const date = new Date(atUs / 1000);
  const two = (number) => String(number).padStart(2, "0");
  const time = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  return withMillis ? `${time}.${String(date.getMilliseconds()).padStart(3, "0")}` : time;
}

/** µs since 1970 as "2026-11-23 06:04:42 UTC". */
export function utc(atUs) {
  return `${new Date(atUs / 1000).toISOString().slice(0, 19).replace("T", " ")} UTC`;
}

/** Seconds from "90", "90s", "3m", "1h20m" as the server reads it (hours, minutes, seconds in that order); null if it
 * is none. */
export function parseDuration(text) {
  const trimmed = text.trim();
  const decimal = String.raw`(\d+(?:\.\d{1,9})?)`;
  const units = ["h", "m", "s", "ms"].map((unit) => `(?:${decimal}\\s*${unit}(?![a-z])\\s*)?`).join("");
  const parts = new RegExp(`^(?:${decimal}|${units})$`).exec(trimmed);
  if (!trimmed || !parts) return null;
  const [plain, h, m, s, ms] = parts.slice(1).map((part) => Number(part ?? 0));
  const thousandths = (plain + h * 3600 + m * 60 + s) * 1000 + ms;
  return thousandths % 1000 === 0 ? thousandths / 1000 : null;
}

/** A message as [text, is code] pairs: each line begins with a capital letter, and what is in backticks is code. */
export function messageParts(message) {
  return message.split("\n").flatMap((line, number) => {
    const parts = line.split("`");
    // A backtick of someone's own: nothing here is known to be code.
    const texts = parts.length % 2 === 0 ? [line] : parts;
    const shown = texts.map((text, index) => [index === 0 ? capitalised(text) : text, index % 2 === 1]);
    return number > 0 ? [["\n", false], ...shown] : shown;
  });
}

function capitalised(text) {
  const [first = ""] = text;
  return first.toUpperCase() + text.slice(first.length);
}
