// Changes of the page that must not come between pressing a button and letting it go: when the button moves meanwhile, the
// browser sees no click.

let pressed = false;
const waiting = [];
addEventListener("pointerdown", () => (pressed = true), true);
for (const end of ["pointerup", "pointercancel"]) {
  addEventListener(
    end,
    () => {
      pressed = false;
      for (const action of waiting.splice(0)) setTimeout(action);
    },
    true,
  );
}

/** Does it now, or once the pointer that is pressed has been let go and its click has been handled. */
export function afterPress(action) {
  if (pressed) waiting.push(action);
  else action();
}
