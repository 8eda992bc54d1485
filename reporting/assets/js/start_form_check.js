// What is wrong with the numbers of the start form, as the server would say it, before it is sent. Pure functions.

const WHOLE = /^\d+$/;
/** One worker for each core; -1 is Locust's. */
const PER_CORE = /^\s*(auto|-1)\s*$/;
const DURATION = "Enter whole seconds: 90, 90s, 3m or 1h20m.";

/** A number that stands in a text; null if none does. */
const number = (text) => (text.trim() && Number.isFinite(Number(text)) ? Number(text) : null);

/** Errors by the name of the field; null for a field that is right. Texts of fields, the defaults put in; `durations`
 * are those texts in seconds, null for one that cannot be read. */
export function formErrors({ texts, durations, users }) {
  const workers = Number(texts.workers);
  return {
    users: WHOLE.test(texts.users) && Number(texts.users) >= 1 ? null : "Users must be a whole number of at least 1.",
    workers: workersError(texts.workers, workers, users),
    duration: durationError(durations.duration),
    ramp_up: durations.ramp_up === null ? `${DURATION} 0 starts all users immediately.` : null,
    stop_timeout: durations.stop_timeout === null ? DURATION : null,
    spawn_rate: spawnRateError(texts),
    arrival_rate: texts.arrival_rate && !(number(texts.arrival_rate) > 0) ? "Enter a number above 0, such as 2.5." : null,
  };
}

function workersError(text, workers, users) {
  if (PER_CORE.test(text)) return null;
  if (!WHOLE.test(text) || workers < 1) return "Workers must be a whole number of at least 1, or auto.";
  return Number.isFinite(users) && workers > users ? "Use no more workers than users." : null;
}

function durationError(seconds) {
  if (seconds === null) return DURATION;
  return seconds < 1 ? "The duration must be at least one second." : null;
}

function spawnRateError({ spawn_rate: rate, given_ramp_up: rampUp, arrival_rate: arrivals }) {
  if (!rate) return null;
  if (!(number(rate) > 0)) return "Enter a number above 0, such as 2.5.";
  if (rampUp) return "Ramp-up and spawn rate are both given; leave one of the two empty.";
  return arrivals ? "With an arrival rate all users start immediately; leave the spawn rate empty." : null;
}
