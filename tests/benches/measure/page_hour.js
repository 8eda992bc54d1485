// An hour of a run in a minute: after the first event of the real stream come those of 3,600 seconds, as the coordinator would send them.
(() => {
  const SECONDS = 3_600;
  const PER_TICK_MS = 16;
  const MOST_POINTS = 1_200;
  const MOST_DOTS = 4_000;
  const DOTS_PER_SECOND = 100;
  // A hub of this page alone asks with this window's fetch.
  delete window.SharedWorker;
  const { fetch } = window;
  window.fetch = async (url, options) => {
    const answer = await fetch(url, options);
    return String(url).includes("/api/v1/events?runs=") ? new Response(hour(answer)) : answer;
  };

  const encoder = new TextEncoder();
  const event = (data) => encoder.encode(`event: run\ndata: ${JSON.stringify(data)}\n\n`);

  /** The first event with everything. */
  async function first(answer) {
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    for (;;) {
      const { value } = await reader.read();
      text += value;
      const block = text.split("\n\n").find((block) => block.startsWith("event: run") && text.includes(`${block}\n\n`));
      if (block) {
        await reader.cancel();
        return JSON.parse(block.slice(block.indexOf("data: ") + 6));
      }
    }
  }

  function hour(answer) {
    return new ReadableStream({
      async start(controller) {
        const everything = await first(answer);
        controller.enqueue(event(everything));
        const { id, view, delta } = everything;
        const [{ about, endpoints, aggregated }] = view;
        let { next, of } = delta.dots;
        let dots = [];
        let points = [...delta.series];
        let step = delta.step_s;
        let seq = delta.log.at(-1)?.seq ?? 0;
        const began = Math.ceil(about.time_elapsed_s);
        const kinds = Math.max(1, delta.dots.endpoints.length);
        for (let second = began; second < began + SECONDS; second += 1) {
          const requests = 500 + (second % 50);
          let reset = false;
          let series = [{ second, users: 50, requests, failures: second % 3 }];
          if (second % step === 0) points.push(series[0]);
          if (points.length > MOST_POINTS) {
            step *= 2;
            points = points.filter((point) => point.second % step === 0);
            reset = true;
            series = points;
          } else if (second % step !== 0) series = [{ ...points.at(-1), requests: requests * ((second % step) + 1) }];
          const fresh = Array.from({ length: DOTS_PER_SECOND }, (_, index) => index);
          dots.push(...fresh.map((index) => next + index));
          next += DOTS_PER_SECOND;
          const gone = dots.splice(0, Math.max(0, dots.length - MOST_DOTS));
          of += requests;
          const rows = endpoints.map((row, index) => [index, { requests: [row.requests + second * 5], avg_ms: [10 + (second % 7)], current_rps: [5 + (second % 3)] }]);
          controller.enqueue(
            event({
              id,
              over: false,
              view: {
                about: { time_elapsed_s: [second + 1], now_us: [about.now_us + second * 1e6] },
                cards: { requests: [of], rps: [500], avg_ms: [10 + (second % 7)] },
                aggregated: { requests: [aggregated.requests + of] },
                endpoints: Object.fromEntries(rows),
              },
              delta: {
                reset,
                series,
                step_s: step,
                dots: {
                  forget: false,
                  next,
                  gone,
                  endpoints: [],
                  at_ms: fresh.map((index) => (index === 0 ? second * 1_000 : 9)),
                  response_us: fresh.map((index) => 1_000 + ((second * 37 + index * 101) % 90_000)),
                  endpoint: fresh.map((index) => index % kinds),
                  kind: fresh.map((index) => (index % 20 === 0 ? 1 : 0)),
                  drawn_share: 0.1,
                  failed_share: 0.1,
                  of,
                },
                log: [1, 2].map((line) => ({ seq: seq + line, at_us: about.now_us + second * 1e6, source: "bench/worker-0", text: `line ${line} of second ${second}` })),
                log_lines_dropped: 0,
              },
            }),
          );
          seq += 2;
          await new Promise((done) => setTimeout(done, PER_TICK_MS));
        }
        window.hourIsOver = true;
      },
    });
  }
})();
