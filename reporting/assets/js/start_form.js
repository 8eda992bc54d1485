// The start form: draws the load profile as it is typed and says at once what the server would refuse.

import { part, setText } from "./dom.js";
import { count, duration, parseDuration } from "./format.js";
import { profileMistake, profileShape } from "./load_profile.js";
import { showOptions } from "./scenario_options.js";

const BOX = { left: 6, right: 294, top: 18, bottom: 66 };

export function startForm() {
  const form = part("start-form");
  form.addEventListener("input", () => draw(form));
  draw(form);
  stayOpenWhereThereIsRoom(part("start"));
}

/** Beside the runs the form is always open; above them, on narrow screens, it folds. */
function stayOpenWhereThereIsRoom(details) {
  const roomy = matchMedia("(min-width: 981px)");
  const open = () => {
    if (roomy.matches) details.open = true;
  };
  roomy.addEventListener("change", open);
  details.querySelector("summary").addEventListener("click", (event) => {
    if (roomy.matches && details.open) event.preventDefault();
  });
  open();
}

/** An empty field means what its placeholder says. */
function value(form, name) {
  const field = form.elements[name];
  return field.value.trim() || field.placeholder;
}

/** Seconds of the ramp-up: from the spawn rate where one is given. */
function ramp(form, users) {
  const rate = form.elements.spawn_rate.value.trim();
  if (!rate) return parseDuration(value(form, "ramp_up"));
  return Number(rate) > 0 ? users / Number(rate) : null;
}

function draw(form) {
  const { shape: decidesItself } = showOptions(form);
  part("profile").closest("figure").hidden = decidesItself;
  if (decidesItself) {
    part("form-hint").hidden = true;
    return;
  }
  const users = Number(value(form, "users"));
  const test = {
    users,
    workers: Number(value(form, "workers")),
    durationS: parseDuration(value(form, "duration")),
    rampS: ramp(form, users),
  };
  const mistake = profileMistake(test);
  const hint = part("form-hint");
  hint.hidden = mistake === null;
  setText(hint, mistake ?? "");
  const shape = mistake === null ? profileShape(test, BOX) : null;
  const drawing = part("profile");
  drawing.querySelector(".profile-line").setAttribute("d", shape?.line ?? "");
  drawing.querySelector(".profile-area").setAttribute("d", shape?.area ?? "");
  const rampText = drawing.querySelector(".profile-ramp");
  const arrivals = form.elements.arrival_rate.value.trim();
  const what = arrivals ? `${arrivals} iterations per second` : `${count(test.users)} users`;
  setText(drawing.querySelector(".profile-users"), shape ? what : "");
  setText(drawing.querySelector(".profile-end"), shape ? duration(test.durationS) : "");
  setText(rampText, shape && test.rampS > 0 ? duration(test.rampS) : "");
  if (shape) {
    rampText.setAttribute("x", Math.min(shape.rampX, BOX.right - 70).toFixed(1));
    rampText.setAttribute("text-anchor", shape.rampX > BOX.left + 24 ? "middle" : "start");
    const cut = test.rampS > test.durationS;
    setText(
      part("profile-text"),
      cut
        ? `${what} after a linear ramp of ${duration(test.rampS)}, which the end at ${duration(test.durationS)} cuts short.`
        : `${what} after a linear ramp of ${duration(test.rampS)}, until the end at ${duration(test.durationS)}.`,
    );
  }
}
