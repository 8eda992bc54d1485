// The page's modules end in .js and no package.json says that they are modules, so they are read as text.
// Modules that touch no page can be loaded so: what they import is put before them.
import { readFile } from "node:fs/promises";

const IMPORT = /^import \{[^}]*\} from "\.\/([^"]+)";\n/gm;

async function source(name) {
  const text = await readFile(new URL(`../assets/js/${name}`, import.meta.url), "utf8");
  const imported = await Promise.all([...text.matchAll(IMPORT)].map(([, other]) => source(other)));
  return imported.join("\n") + text.replace(IMPORT, "");
}

export async function load(name) {
  return import(`data:text/javascript;base64,${Buffer.from(await source(name)).toString("base64")}`);
}
