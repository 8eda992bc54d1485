// The drawing of a load profile: users rise linearly during the ramp-up, then stay until the end. Pure geometry.

/** Corners in a box of `width` x `height`: the line, the closed area, and where the ramp ends; null when the numbers
 * make no test. */
export function profileShape({ users, rampS, durationS }, { left, right, top, bottom }) {
  if (!(users > 0 && durationS > 0 && rampS >= 0 && rampS < durationS)) return null;
  const rampX = left + ((right - left) * rampS) / durationS;
  const line = `M${left} ${rampS > 0 ? bottom : top}L${rampX.toFixed(1)} ${top}L${right} ${top}L${right} ${bottom}`;
  return { line, area: `M${left} ${bottom}L${rampX.toFixed(1)} ${top}L${right} ${top}L${right} ${bottom}Z`, rampX };
}

/** What is wrong with the numbers of a test, as one sentence; null when nothing is. */
export function profileMistake({ users, workers, rampS, durationS }) {
  if (!Number.isInteger(users) || users < 1) return "Users must be a whole number of at least 1.";
  if (!Number.isInteger(workers) || workers < 1) return "Workers must be a whole number of at least 1.";
  if (workers > users) return "There can be at most one worker per user.";
  if (durationS === null) return "The duration reads like 90, 90s, 3m or 1h20m.";
  if (rampS === null) return "The ramp-up reads like 90, 90s, 3m or 1h20m; 0 starts everyone at once.";
  if (durationS < 1) return "The duration must be at least one second.";
  if (rampS >= durationS) return "The ramp-up must be shorter than the duration.";
  return null;
}
