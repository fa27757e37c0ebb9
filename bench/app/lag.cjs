// Loaded into a master by --require: SIGWINCH prints how late its event loop was since the last one.
const { monitorEventLoopDelay } = require("node:perf_hooks");

const RESOLUTION_MS = 5;
const lag = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
lag.enable();
// The sampler's own period is part of what it measures.
const ms = (nanoseconds) => Math.max(0, nanoseconds / 1e6 - RESOLUTION_MS);
process.on("SIGWINCH", () => {
  process.stdout.write(`\nLAG ${JSON.stringify({ p99: ms(lag.percentile(99)), max: ms(lag.max) })}\n`);
  lag.reset();
});
