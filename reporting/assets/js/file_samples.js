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

/** The samples of an error, and how many there are. */
export function samplesOfError(samples, query) {
  const found = samples.filter(
    (sample) => (!query.has("endpoint") || endpointOf(sample) === query.get("endpoint")) && sample.error === query.get("error"),
  );
  return { samples: found, of: found.length };
}
