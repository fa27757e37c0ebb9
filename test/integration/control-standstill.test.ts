// Commands to a master that stands still: they say so instead of waiting for ever.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { stateOf } from "../helpers/processes.ts";
import { ROLLCALL, runRollcall, startService } from "../helpers/service.ts";
import { until } from "../helpers/until.ts";

const SAID = /does not answer: it may be stopped \(SIGSTOP, a paused container\) or very busy/;

test("every command to a stopped master exits 1 and says that it does not answer", async (t) => {
  const service = await startService(t, { app: "http.mjs", workers: 1 });
  await service.untilReady();
  service.signal("SIGSTOP");
  await until("it is stopped", () => stateOf(service.pid) === "T");
  const commands = ["status", "reload", "drain", "stop"];
  const ran = await Promise.all(commands.map((name) => runRollcall(t, [name, "--control", service.control])));
  for (const { code, stderr } of ran) assert.deepEqual([code, SAID.test(stderr)], [1, true], stderr);
  const asJson = await runRollcall(t, ["drain", "--json", "--control", service.control]);
  const event = JSON.parse(asJson.stdout) as { event: string; message: string };
  assert.deepEqual([asJson.code, event.event, SAID.test(event.message), asJson.stderr], [1, "error", true, ""]);
});

test("stop --pid-file says the same", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "rc-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const file = join(folder, "service.pid");
  const service = await startService(t, { app: "http.mjs", workers: 1, flags: ["--pid-file", file] });
  await service.untilReady();
  service.signal("SIGSTOP");
  const { code, stderr } = await runRollcall(t, ["stop", "--pid-file", file]);
  assert.equal(code, 1);
  assert.match(stderr, new RegExp(`process ${service.pid} is stopped \\(SIGSTOP\\): it will stop when it goes on`));
});

test("a command whose order was taken by a master that is stopped then exits 1 and names it", async (t) => {
  const service = await startService(t, { app: "ready-slow.mjs", workers: 1, env: { WAITS_FOR: "timer" } });
  await service.untilReady();
  const client = spawn(process.execPath, [ROLLCALL, "reload", "--control", service.control], { stdio: ["ignore", "pipe", "pipe"] });
  t.after(() => client.kill("SIGKILL"));
  let said = "";
  for (const stream of [client.stdout, client.stderr])
    stream.on("data", (chunk: Buffer) => {
      // The new worker takes seconds: the reload has only begun.
      if (said === "") service.signal("SIGSTOP");
      said += chunk.toString();
    });
  await until("the command has ended", () => client.exitCode !== null, 60_000);
  assert.equal(client.exitCode, 1, said);
  assert.match(said, /^reload: generation 2$/m);
  assert.match(said, new RegExp(`the service \\(pid ${service.pid}\\) ${SAID.source}; when it goes on, the reload may still be done`));
});
