// Which colour an endpoint has in the chart of response times. Pure: no DOM here.
//
// A colour follows from method and name, so that an endpoint keeps it from run to run. Where two of a run would have the
// same, the second in order of their names takes the next one.

/** None can be mistaken for the reds of failures. */
const SUCCESS_HUES = [226, 168, 276, 196, 142, 48, 252, 90, 210, 300];
const FAILURE_HUES = [2, 338, 18, 350, 28];
/** How many lightnesses each hue has. */
const ROUNDS = 3;

export class EndpointColours {
  /** Key of an endpoint → [number of its hue, how many had that hue before]. */
  #given = new Map();
  #uses = SUCCESS_HUES.map(() => 0);

  /** Gives colours to endpoints that have none yet. A hue is used again when all have been used. */
  add(endpoints) {
    const fresh = endpoints.map(({ method, name }) => key(method, name)).filter((id) => !this.#given.has(id));
    const least = () => Math.min(...this.#uses);
    for (const id of fresh.sort()) {
      let hue = hash(id) % SUCCESS_HUES.length;
      while (this.#uses[hue] > least()) hue = (hue + 1) % SUCCESS_HUES.length;
      this.#given.set(id, [hue, this.#uses[hue]]);
      this.#uses[hue] += 1;
    }
  }

  /** Hue (degrees) and round (0 to 2, for the lightness) of an endpoint's successes or failures. */
  of(method, name, failed) {
    this.add([{ method, name }]);
    const [number, before] = this.#given.get(key(method, name));
    if (!failed) return { hue: SUCCESS_HUES[number], round: before % ROUNDS };
    const beyond = number >= FAILURE_HUES.length ? 1 : 0;
    return { hue: FAILURE_HUES[number % FAILURE_HUES.length], round: (before + beyond) % ROUNDS };
  }
}

/** The endpoints with the most requests, as many as `most`, in the order of their names. */
export function busiest(endpoints, most) {
  const inOrder = (a, b) => (key(a.method, a.name) < key(b.method, b.name) ? -1 : 1);
  const ranked = [...endpoints].sort((a, b) => b.requests - a.requests || inOrder(a, b));
  return ranked.slice(0, most).sort(inOrder);
}

function key(method, name) {
  return `${method} ${name}`;
}

/** FNV-1a over UTF-16 units. */
function hash(text) {
  let value = 0x811c9dc5;
  for (let at = 0; at < text.length; at += 1) value = Math.imul(value ^ text.charCodeAt(at), 0x01000193);
  return value >>> 0;
}
