// The shared worker of all pages of this coordinator in this browser. A browser opens six connections to one server at
// most, so that pages with a stream each would keep each other from loading.

import { address } from "./address.js";
import { Hub } from "./hub.js";

const hub = new Hub(address("/api/v1/events"));

addEventListener("connect", ({ ports: [port] }) => {
  const page = (message) => port.postMessage(message);
  port.addEventListener("message", ({ data: { wanted } }) => {
    hub.say(page, wanted);
    page({ name: "here" });
  });
  port.start();
});
