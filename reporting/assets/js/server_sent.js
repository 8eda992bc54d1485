// Server-sent events of a response. EventSource would not say why a server refused, nor that it fell silent.

/** The events of a response's body: {name, data}, the data parsed as JSON. */
export async function* serverSent(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    // A large event comes in many pieces; its end can only be in the last one, or where that begins.
    let from = Math.max(0, text.length - 1);
    text += value;
    for (let end = text.indexOf("\n\n", from); end >= 0; end = text.indexOf("\n\n", from)) {
      const event = parsed(text.slice(0, end));
      text = text.slice(end + 2);
      from = 0;
      if (event) yield event;
    }
  }
}

function parsed(block) {
  let name = "message";
  const data = [];
  for (const line of block.split("\n")) {
    const colon = line.indexOf(":");
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "event") name = value;
    if (field === "data") data.push(value);
  }
  return data.length > 0 ? { name, data: JSON.parse(data.join("\n")) } : null;
}
