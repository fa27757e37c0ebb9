#!/usr/bin/env node
// The entry file. Its first statements install the signal handlers and hold the channel to a parent; everything else is loaded after them.
import { releaseSignals } from "../system/signals.ts";
import "../system/parent-hold.ts";

const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
if (major < 22 || (major === 22 && minor < 19)) {
  releaseSignals();
  console.error(`rollcall needs Node 22.19 or newer; this is Node ${process.version}. Install a current Node and run it with that.`);
  process.exit(2);
}
const { main } = await import("./main.ts");
await main(process.argv.slice(2));
