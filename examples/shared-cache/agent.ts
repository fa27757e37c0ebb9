// A small cache that every worker has in its own memory: the agent reads the source, once for all of them, and tells them when it has changed.
// Your own project imports from "rollcall/app".
import { readFile } from "node:fs/promises";
import { messenger } from "../../src/runtime/app.ts";

const SOURCE = process.env.CACHE_SOURCE ?? "settings.json";
const EVERY_MS = Number(process.env.CACHE_EVERY_MS ?? 5_000);
let text = "";

messenger.onAsk("cache", () => JSON.parse(text));

export default async function feed(): Promise<void> {
  await refresh();
  setInterval(() => void refresh().catch((error: Error) => console.error(`the cache stays as it is: ${error.message}`)), EVERY_MS);
}

async function refresh(): Promise<void> {
  const now = await readFile(SOURCE, "utf8");
  // A source that is broken must not replace one that was good.
  const values: unknown = JSON.parse(now);
  if (now === text) return;
  text = now;
  messenger.sendToApp("cache", values);
}
