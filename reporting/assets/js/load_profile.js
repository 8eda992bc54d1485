// The drawing of a load profile: how many users are planned when. Pure geometry.

/** The planned users of a profile as [second, users] corners from 0 to `endS`: in each step they go linearly from where
 * they are to where it leads; a later step takes over from one whose ramp is not over. */
export function idealLine({ steps, ends_at_us: endsAtUs }, endS) {
  const end = Math.min(endsAtUs / 1e6, endS);
  const corners = [[0, 0]];
  let ramp = { from: 0, to: 0, beginsAt: 0, over: 0 };
  const reached = (at) =>
    at >= ramp.beginsAt + ramp.over ? ramp.to : ramp.from + ((ramp.to - ramp.from) * (at - ramp.beginsAt)) / ramp.over;
  const go = (until) => {
    const top = ramp.beginsAt + ramp.over;
    if (ramp.over > 0 && top < until) corners.push([top, ramp.to]);
    corners.push([until, reached(until)]);
  };
  for (const { at_us: atUs, users, over_us: overUs } of steps) {
    const at = atUs / 1e6;
    if (at > end) break;
    go(at);
    ramp = { from: reached(at), to: users, beginsAt: at, over: overUs / 1e6 };
    if (ramp.over === 0) corners.push([at, users]);
  }
  go(end);
  return corners.filter(([at, users], index) => {
    const before = corners[index - 1];
    return !before || before[0] !== at || before[1] !== users;
  });
}

/** Corners in a box of `width` x `height`: the line, the closed area, and where the ramp ends; null when the numbers
 * make no test. A ramp that is longer than the test is cut at its end. */
export function profileShape({ users, rampS, durationS }, { left, right, top, bottom }) {
  if (!(users > 0 && durationS > 0 && rampS >= 0)) return null;
  const done = rampS > durationS ? durationS / rampS : 1;
  const rampX = left + ((right - left) * rampS * done) / durationS;
  const peak = (bottom - (bottom - top) * done).toFixed(1).replace(/\.0$/, "");
  const corners = `L${rampX.toFixed(1)} ${peak}L${right} ${peak}L${right} ${bottom}`;
  const line = `M${left} ${rampS > 0 ? bottom : peak}${corners}`;
  return { line, area: `M${left} ${bottom}${corners}Z`, rampX };
}

/** What is wrong with the numbers of a test, as one sentence; null when nothing is. */
export function profileMistake({ users, workers, rampS, durationS }) {
  if (!Number.isInteger(users) || users < 1) return "Users must be a whole number of at least 1.";
  if (!Number.isInteger(workers) || workers < 1) return "Workers must be a whole number of at least 1.";
  if (workers > users) return "Use no more workers than users.";
  if (durationS === null) return "Enter the duration in whole seconds: 90, 90s, 3m or 1h20m.";
  if (rampS === null) return "Enter the ramp-up in whole seconds: 90, 90s, 3m or 1h20m; 0 starts all users immediately.";
  if (durationS < 1) return "The duration must be at least one second.";
  return null;
}
