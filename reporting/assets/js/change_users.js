// The control that changes the number of users while the run is active. Without this module it is a plain form.

import { address } from "./address.js";
import { part, setMessage } from "./dom.js";
import { count, duration } from "./format.js";

export class ChangeUsers {
  /** Whether the number was touched since it was last sent; then the server's does not replace it. */
  #touched = false;

  constructor(id) {
    this.form = part("change-users");
    this.number = this.form.elements.users;
    this.url = address(`/api/v1/runs/${encodeURIComponent(id)}/users`);
    this.number.addEventListener("input", () => (this.#touched = true));
    for (const button of this.form.querySelectorAll("[data-step]")) {
      button.addEventListener("click", () => this.#step(Number(button.dataset.step)));
    }
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#send();
    });
  }

  /** Shows what others have changed. */
  show({ can_change_users: can, users_wanted: wanted }) {
    this.form.hidden = !can;
    if (!this.#touched && document.activeElement !== this.number) this.number.value = wanted;
  }

  #step(by) {
    const least = Number(this.number.min);
    const most = Number(this.number.max);
    const now = Number.parseInt(this.number.value, 10) || 0;
    this.number.value = Math.min(most, Math.max(least, now + by));
    this.#touched = true;
  }

  async #send() {
    const users = Number(this.number.value);
    const within = this.form.elements.ramp_up.value.trim();
    try {
      const answer = await fetch(this.url, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(within ? { users, ramp_up: within } : { users }),
      });
      const said = await answer.json();
      if (!answer.ok) return this.#answer(said.error, true);
      this.#touched = false;
      const when = said.over_s > 0 ? `over ${duration(said.over_s)}` : "now";
      this.#answer(`Changing to ${count(said.users)} users ${when}.`, false);
    } catch {
      this.#answer("No response from the coordinator. Try again.", true);
    }
  }

  #answer(message, failed) {
    const line = part("change-users-answer");
    line.hidden = false;
    line.dataset.failed = String(failed);
    setMessage(line, message);
  }
}
