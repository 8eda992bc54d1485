// The page's modules end in .js and no package.json says that they are modules, so they are read as text.
// Only modules that import nothing can be loaded so: those that are pure.
import { readFile } from "node:fs/promises";

export async function load(name) {
  const source = await readFile(new URL(`../assets/js/${name}`, import.meta.url), "utf8");
  if (/^import /m.test(source)) throw new Error(`${name} imports something; test what is pure`);
  return import(`data:text/javascript;base64,${Buffer.from(source).toString("base64")}`);
}
