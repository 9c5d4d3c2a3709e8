// The ceiling: what Bun.serve can answer at all. Reads the body and answers reto3's 200; with "parse" it looks at the event too.
//
//   bun bench/ceiling/bare-server.ts [parse]

import { parseEvent } from "../../src/event.ts";

const parses = process.argv[2] === "parse";
const headers = { "Content-Type": "text/html" };

const server = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  development: false,
  routes: {
    "/": async (request) => {
      const body = await request.text();
      if (parses) parseEvent(body);
      return new Response("<html><body><h1>POST!</h1></body></html>", { headers });
    },
  },
});
console.error(`listening on ${server.url.origin}`);
