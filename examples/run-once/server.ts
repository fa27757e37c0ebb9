// A worker: serves requests, and does a job when the agent asks it to. The agent picks one of those that are ready.
import { createServer } from "node:http";
import { messenger, slot } from "../../src/runtime/app.ts";

let done = 0;
messenger.onAsk("report", async (run: number) => {
  done++;
  return `run ${run} done by slot ${slot}`;
});

createServer((_, response) => response.end(`slot ${slot} has done ${done}`)).listen(process.env.PORT);
