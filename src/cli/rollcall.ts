#!/usr/bin/env node
// The entry file. Its first statement installs the signal handlers; everything else is loaded after it.
import { releaseSignals } from "../system/signals.ts";

const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
if (major < 22 || (major === 22 && minor < 19)) {
  releaseSignals();
  console.error(`rollcall needs Node 22.19 or newer; this is Node ${process.version}. Install a current Node and run it with that.`);
  process.exit(2);
}
const { main } = await import("./main.ts");
await main(process.argv.slice(2));
