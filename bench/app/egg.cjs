// egg-cluster's master with a framework of its own, that serves the bench's handler without the rest of egg. SIGUSR2 reloads.
const { join } = require("node:path");
const Master = require("egg-cluster/lib/master");

const master = new Master({
  baseDir: __dirname,
  framework: join(__dirname, process.env.FRAMEWORK ?? "egg-framework"),
  workers: Number(process.env.WORKERS),
  port: Number(process.env.PORT),
});
process.on("SIGUSR2", () => master.emit("reload-worker"));
