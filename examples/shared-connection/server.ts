// A follower: answers from what the leader has told it. GET /key reads, POST /key/value publishes.
import { createServer } from "node:http";
import { messenger } from "../../src/runtime/app.ts";

const known = new Map<string, string>();
messenger.on("changed", ({ key, value }: { key: string; value: string }) => known.set(key, value));
messenger.on("agent-start", follow);
await follow();

createServer(({ method, url = "/" }, response) => {
  const [key = "", value = ""] = url.slice(1).split("/");
  if (method === "GET") return void response.end(known.get(key) ?? "");
  messenger.ask("agent", "publish", `${key} ${value}`).then(
    () => response.end(),
    (error: Error) => response.writeHead(503).end(error.message),
  );
}).listen(process.env.PORT);

async function follow(): Promise<void> {
  // The workers start when the agent is ready; later it may be gone for a moment, and says when it is back.
  const all = await messenger.ask<Map<string, string>>("agent", "follow").catch(() => new Map<string, string>());
  for (const [key, value] of all) known.set(key, value);
}
