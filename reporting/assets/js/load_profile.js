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
