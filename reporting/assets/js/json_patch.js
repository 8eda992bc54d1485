// Applies what src/web/live/json_patch.rs sends: [value] takes the place of what there was, an object changes members.

/** The document that `patch` makes of `old`. Parts that did not change are the same objects as before. */
export function patched(old, patch) {
  if (Array.isArray(patch)) return patch[0];
  const result = Array.isArray(old) ? [...old] : { ...old };
  for (const [key, change] of Object.entries(patch)) result[key] = patched(result[key], change);
  return result;
}
