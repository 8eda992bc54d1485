// Which colour an endpoint has in the chart of response times. Pure: no DOM here.
//
// A colour follows from method and name, so that an endpoint keeps it from run to run. Where two of a run would have the
// same, the second in order of their names takes the next one.

/** Least hues first that are far from each other; none can be mistaken for the reds of failures. */
const SUCCESS_HUES = [226, 168, 276, 196, 142, 48, 252, 90, 210, 300];
const FAILURE_HUES = [2, 338, 18, 350, 28];
/** How many lightnesses each hue has. */
const ROUNDS = 3;
const SLOTS = SUCCESS_HUES.length * ROUNDS;

export class EndpointColours {
  /** Key of an endpoint → slot. */
  #slots = new Map();

  /** Gives colours to endpoints that have none yet; beyond the number of colours they are shared. */
  add(endpoints) {
    const fresh = endpoints.map(({ method, name }) => key(method, name)).filter((id) => !this.#slots.has(id));
    for (const id of fresh.sort()) this.#slots.set(id, this.#free(hash(id) % SLOTS));
  }

  #free(wanted) {
    if (this.#slots.size >= SLOTS) return wanted;
    const taken = new Set(this.#slots.values());
    let slot = wanted;
    while (taken.has(slot)) slot = (slot + 1) % SLOTS;
    return slot;
  }

  /** Hue (degrees) and round (0 to 2, for the lightness) of an endpoint's successes or failures. */
  of(method, name, failed) {
    this.add([{ method, name }]);
    const slot = this.#slots.get(key(method, name));
    const hues = failed ? FAILURE_HUES : SUCCESS_HUES;
    return { hue: hues[slot % hues.length], round: Math.floor(slot / SUCCESS_HUES.length) % ROUNDS };
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
