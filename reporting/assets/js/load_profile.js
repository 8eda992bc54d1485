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

/** A profile in a box: the line, the closed area, the greatest value, and where the first ramp ends; null when there is
 * nothing to draw. */
export function profileShape(profile, { left, right, top, bottom }) {
  const endS = profile.ends_at_us / 1e6;
  const corners = idealLine(profile, endS);
  const peak = Math.max(...corners.map(([, value]) => value));
  if (!(peak > 0 && endS > 0 && Number.isFinite(endS))) return null;
  const x = (at) => left + ((right - left) * at) / endS;
  const y = (value) => bottom - ((bottom - top) * value) / peak;
  const points = corners.map(([at, value]) => `${x(at).toFixed(1)} ${y(value).toFixed(1)}`);
  const rampS = Math.min((profile.steps[0]?.over_us ?? 0) / 1e6, endS);
  return { line: `M${points.join("L")}`, area: `M${points.join("L")}L${right} ${bottom}L${left} ${bottom}Z`, peak, rampX: x(rampS) };
}
