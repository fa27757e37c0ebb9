// Signals that come before there is a service: while a config file that is code still runs.
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { type Service, startService } from "../helpers/service.ts";
import { until } from "../helpers/until.ts";

/** Its config file says that it runs, and ends when the test says so. */
async function startConfiguring(t: TestContext): Promise<{ readonly service: Service; readonly goOn: () => void }> {
  const folder = mkdtempSync(join(tmpdir(), "rc-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const [config, running, done] = ["rollcall.config.mjs", "running", "done"].map((name) => join(folder, name)) as [string, string, string];
  const code = `import { existsSync, writeFileSync } from "node:fs";
writeFileSync(${JSON.stringify(running)}, "");
while (!existsSync(${JSON.stringify(done)})) await new Promise((resolve) => setTimeout(resolve, 20));
export default { workers: 1 };\n`;
  writeFileSync(config, code);
  const service = await startService(t, { app: "http.mjs", flags: ["--config", config] });
  await until("the config file runs", () => existsSync(running));
  return { service, goOn: () => writeFileSync(done, "") };
}

describe("a signal while the configuration is read", { concurrency: 2 }, () => {
  test("SIGTTIN is one worker more, once there are workers", async (t) => {
    const { service, goOn } = await startConfiguring(t);
    service.signal("SIGTTIN");
    goOn();
    await service.untilReady();
    await until("there are two", async () => (await service.status()).workersReady === 2);
  });

  test("SIGTERM ends the start: exit 0", async (t) => {
    const { service } = await startConfiguring(t);
    service.signal("SIGTERM");
    assert.equal((await service.exited()).code, 0);
  });
});
