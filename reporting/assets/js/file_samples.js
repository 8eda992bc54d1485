// Single requests in a page that is a file: those behind a dot, and failed ones with what came back. Pure: no DOM here.

/** An endpoint as addresses have it. */
const endpointOf = ({ method, name }) => `${method} ${name}`.trimStart();

/** A response time in µs as a dot has it, to three digits; src/results/views/run_view.rs rounds likewise. */
export function shownResponse(us) {
  const step = 10 ** Math.max(0, String(us).length - 3);
  return Math.floor((us + Math.floor(step / 2)) / step) * step;
}

/** Of samples in order of time those that a dot stands for, which `query` names. */
export function samplesOfDot(samples, query) {
  const [atMs, us] = [Number(query.get("at_ms")), Number(query.get("response_us"))];
  return samples.filter(
    (sample) =>
      Math.floor(Math.round(sample.at_s * 1e6) / 1e3) === atMs &&
      shownResponse(Math.round(sample.response_ms * 1e3)) === shownResponse(us) &&
      (!query.has("endpoint") || endpointOf(sample) === query.get("endpoint")),
  );
}

/** The samples of an error that are in the file, and `of` how many that are kept; `errors`: all of the run. */
export function samplesOfError(samples, query, errors) {
  const isIts = (one, text) => (!query.has("endpoint") || endpointOf(one) === query.get("endpoint")) && text === query.get("error");
  const found = samples.filter((sample) => isIts(sample, sample.error));
  const kept = errors.filter((error) => isIts(error, error.place ? `${error.error} (${error.place})` : error.error));
  return { samples: found, of: kept.reduce((sum, error) => sum + error.samples, 0) };
}
