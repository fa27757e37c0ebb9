// A worker: answers from its own memory, as fast as it can. GET /name reads a setting.
import { createServer } from "node:http";
import { messenger } from "../../src/runtime/app.ts";

type Settings = Readonly<Record<string, unknown>>;

let settings: Settings = {};
messenger.on("cache", (values: Settings) => {
  settings = values;
});
// The listener first: what changes while this is under way comes to it. An agent that starts again tells everybody.
settings = await messenger.ask<Settings>("agent", "cache");

createServer(({ url = "/" }, response) => response.end(JSON.stringify(settings[url.slice(1)]) ?? "")).listen(process.env.PORT);
