// The start form: draws the load profile as it is typed, lists what the chosen infrastructure's agents have, and marks
// what the server would refuse.

import { afterPress } from "./after_press.js";
import { part, setText } from "./dom.js";
import { focusFirstError, isShown, markField, nativeError, shownError } from "./field_errors.js";
import { count, duration, parseDuration } from "./format.js";
import { profileShape } from "./load_profile.js";
import { showChips } from "./name_chips.js";
import { ScenarioChoice } from "./scenario_choice.js";
import { refreshOptions, showOptions } from "./scenario_options.js";
import { StageRows, stagesProfile } from "./stage_rows.js";
import { formErrors } from "./start_form_check.js";

const BOX = { left: 6, right: 294, top: 18, bottom: 66 };
/** The fields that the server marks so, such as those that a load shape says in their place. */
const marked = (form, mark) => [...form.elements].filter((field) => mark in field.dataset);

export class StartForm {
  #form = part("start-form");
  #scenarios;
  #stages;
  /** What the server refused, by field: the text that stood there and what was wrong with it. */
  #refused = new Map();

  constructor() {
    const form = this.#form;
    for (const field of form.querySelectorAll('[aria-invalid="true"]')) {
      this.#refused.set(field, { text: field.value, message: shownError(field) });
    }
    this.#scenarios = new ScenarioChoice(form);
    this.#stages = new StageRows(form, () => this.#update());
    // The form says it in its own words.
    form.noValidate = true;
    form.addEventListener("input", () => this.#update());
    form.addEventListener("change", (event) => afterPress(() => this.#mark(event.target)));
    form.addEventListener("submit", (event) => this.#submit(event));
    stayOpenWhereThereIsRoom(part("start"));
    this.#update();
    focusFirstError(form);
  }

  /** Infrastructures and scenarios come and go while the form is open; what was chosen stays where it can. */
  refresh(fresh) {
    refreshInfrastructures(this.#form, fresh);
    this.#scenarios.refresh(fresh);
    refreshOptions(fresh);
    this.#update();
  }

  #value(name) {
    return this.#form.elements[name].value.trim();
  }

  /** An empty field means what its placeholder says. */
  #orDefault(name) {
    return this.#value(name) || this.#form.elements[name].placeholder;
  }

  /** What is typed, and what it means. */
  #read() {
    const stages = this.#stages.read();
    const declared = this.#scenarios.chosen();
    const isRate = stages.some(({ arrivals }) => arrivals !== null);
    const arrivals = this.#value("arrival_rate");
    const isReplaced = stages.length > 0 || marked(this.#form, "replacesShape").some((field) => field.value.trim());
    const isShaped = Boolean(declared?.has_shape) && !isReplaced;
    const users = stages.length > 0 && !isRate ? Math.max(...stages.map((stage) => stage.users ?? 0)) : Number(this.#orDefault("users"));
    const durationS = parseDuration(this.#orDefault("duration"));
    this.#showDefaultRamp(durationS);
    return { stages, declared, isRate, arrivals, isShaped, users, durationS, rampS: this.#ramp(users) };
  }

  /** Seconds of the ramp-up: from the spawn rate where one is given. */
  #ramp(users) {
    const rate = Number(this.#value("spawn_rate") || NaN);
    if (Number.isNaN(rate)) return parseDuration(this.#orDefault("ramp_up"));
    return rate > 0 ? users / rate : null;
  }

  /** The default ramp-up does not cut a short test off. */
  #showDefaultRamp(durationS) {
    const field = this.#form.elements.ramp_up;
    field.dataset.most ??= parseDuration(field.placeholder);
    const most = Math.floor((durationS ?? Infinity) / Number(this.#form.dataset.rampUpPart));
    field.placeholder = `${Math.min(Number(field.dataset.most), most)}s`;
  }

  #update() {
    showOptions(this.#form);
    const read = this.#read();
    this.#showWhatCounts(read);
    this.#draw(read);
    for (const field of this.#form.querySelectorAll('[aria-invalid="true"]')) this.#mark(field, read);
  }

  /** Fields that stages or a load shape make meaningless are neither shown nor sent. */
  #showWhatCounts({ stages, declared, isRate, isShaped }) {
    const { elements } = this.#form;
    const ofStages = new Set(stages.length > 0 ? marked(this.#form, "ofStages") : []);
    // Stages of an arrival rate do not say how many users may be busy.
    if (isRate) ofStages.delete(elements.users);
    const ofShape = new Set(isShaped ? marked(this.#form, "ofShape") : []);
    for (const field of new Set([...marked(this.#form, "ofStages"), ...marked(this.#form, "ofShape")])) {
      const isSaid = ofStages.has(field) || ofShape.has(field);
      field.disabled = isSaid;
      field.closest(".field").hidden = isSaid;
    }
    elements.host.required = !declared?.has_hosts;
    if (!elements.tags) return;
    for (const name of ["tags", "exclude_tags"]) showChips(elements[name], declared?.tags ?? []);
    showChips(elements.user_types, declared?.user_types ?? []);
  }

  #errors(read) {
    const { elements } = this.#form;
    const texts = Object.fromEntries(["users", "workers"].map((name) => [name, this.#orDefault(name)]));
    for (const name of ["spawn_rate", "arrival_rate"]) texts[name] = this.#value(name);
    texts.given_ramp_up = this.#value("ramp_up");
    const seconds = (name) => parseDuration(this.#orDefault(name));
    const durations = {
      duration: read.isShaped && !this.#value("duration") ? 1 : read.durationS,
      ramp_up: seconds("ramp_up"),
      stop_timeout: seconds("stop_timeout"),
    };
    const users = read.isShaped ? Infinity : read.users;
    const errors = new Map(Object.entries(formErrors({ texts, durations, users })).map(([name, error]) => [elements[name], error]));
    for (const stage of read.stages) stage.errors.forEach((error, field) => errors.set(field, error));
    return errors;
  }

  #mark(field, read = this.#read()) {
    if (!field.name) return;
    const refused = this.#refused.get(field);
    const ofServer = refused?.text === field.value ? refused.message : null;
    const error = nativeError(field) ?? this.#errors(read).get(field) ?? ofServer;
    markField(field, isShown(field) ? error : null);
  }

  #submit(event) {
    const read = this.#read();
    // Whether it still holds only the server knows.
    this.#refused.clear();
    for (const field of this.#form.elements) {
      if (field.name && field.type !== "hidden" && field.tagName !== "FIELDSET") this.#mark(field, read);
    }
    const wrong = [...this.#form.elements].some((field) => isShown(field) && field.getAttribute("aria-invalid") === "true");
    if (!wrong) return;
    event.preventDefault();
    focusFirstError(this.#form);
  }

  #draw(read) {
    const drawing = part("profile");
    drawing.closest("figure").hidden = read.isShaped;
    const profile = this.#isRight(read) ? this.#profile(read) : null;
    const shape = profile ? profileShape(profile, BOX) : null;
    const durationS = profile ? profile.ends_at_us / 1e6 : 0;
    drawing.querySelector(".profile-line").setAttribute("d", shape?.line ?? "");
    drawing.querySelector(".profile-area").setAttribute("d", shape?.area ?? "");
    const what = whatIsThere(read, shape?.peak ?? 0);
    setText(drawing.querySelector(".profile-users"), shape ? what : "");
    setText(drawing.querySelector(".profile-end"), shape ? duration(durationS) : "");
    const hasRamp = shape && read.stages.length === 0 && read.rampS > 0;
    const rampText = drawing.querySelector(".profile-ramp");
    setText(rampText, hasRamp ? duration(read.rampS) : "");
    if (!shape) return;
    rampText.setAttribute("x", Math.min(shape.rampX, BOX.right - 70).toFixed(1));
    rampText.setAttribute("text-anchor", shape.rampX > BOX.left + 24 ? "middle" : "start");
    setText(part("profile-text"), description(read, what, durationS));
  }

  #isRight(read) {
    return !read.isShaped && [...this.#errors(read)].every(([field, error]) => error === null || !isShown(field));
  }

  #profile(read) {
    if (read.stages.length > 0) return stagesProfile(read.stages);
    const target = read.arrivals ? Number(read.arrivals) : read.users;
    return { steps: [{ at_us: 0, users: target, over_us: read.rampS * 1e6 }], ends_at_us: read.durationS * 1e6 };
  }
}

function whatIsThere({ arrivals, isRate }, peak) {
  return arrivals || isRate ? `${peak} iterations per second` : `${count(peak)} users`;
}

function description({ stages, rampS }, what, durationS) {
  const end = duration(durationS);
  if (stages.length > 0) return `${stages.length} stages, at most ${what}, until the end at ${end}.`;
  const ramp = `${what} after a linear ramp of ${duration(rampS)}`;
  return rampS > durationS ? `${ramp}, which the end at ${end} cuts short.` : `${ramp}, until the end at ${end}.`;
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

function refreshInfrastructures(form, fresh) {
  const old = form.elements.infrastructure;
  const next = fresh.querySelector('[data-role="start-form"] [name="infrastructure"]');
  if (!next || old === document.activeElement || old.innerHTML === next.innerHTML) return;
  const chosen = old.value;
  old.replaceChildren(...document.adoptNode(next).childNodes);
  if ([...old.options].some((option) => option.value === chosen)) old.value = chosen;
}
