// The shortest node:cluster script: round-robin, and a fork for each worker that ends.
const cluster = require("node:cluster");

if (cluster.isPrimary) {
  for (let i = 0; i < Number(process.env.WORKERS); i++) cluster.fork();
  cluster.on("exit", () => setTimeout(() => cluster.fork(), Number(process.env.REBORN_AFTER_MS ?? 0)));
} else {
  require("./server.cjs");
}
