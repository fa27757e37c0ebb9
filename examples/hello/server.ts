// An ordinary node:http server, started by `rollcall` or by plain `node` alike: it knows nothing of Rollcall.
// `/` names the worker that answered, `/slow?ms=500` answers after that many milliseconds (at most 60,000).

import { createServer, type ServerResponse } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";

const port = Number(process.env.PORT ?? 3000);
const slot = process.env.ROLLCALL_SLOT ?? "none";

const server = createServer((request, response) => {
  const url = new URL(request.url ?? "/", "http://localhost");
  if (url.pathname === "/") return reply(response, 200, "hello");
  if (url.pathname === "/slow") return void replyLater(response, Number(url.searchParams.get("ms") ?? 500));
  reply(response, 404, "not found");
});

server.listen(port, () => console.log(`hello: slot ${slot}, pid ${process.pid}, port ${port}`));

async function replyLater(response: ServerResponse, ms: number): Promise<void> {
  await sleep(Math.min(Math.max(ms || 0, 0), 60_000));
  reply(response, 200, `slept ${ms} ms`);
}

function reply(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { "content-type": "text/plain; charset=utf-8" });
  response.end(`${text} from slot ${slot}, pid ${process.pid}\n`);
}
