// Where things are on this coordinator, also when a proxy shows it below a path.

/** The path of the front page: this file is at assets/<hash>/js/ below it. */
const root = () => new URL("../../../", import.meta.url).pathname;

/** The address of a path that begins with a slash, such as /api/v1/runs. */
export const address = (path) => root() + path.slice(1);
