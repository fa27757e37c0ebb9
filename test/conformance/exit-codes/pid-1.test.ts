// The table of exit codes as PID 1, a child's own code, and that no code is left out.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { EXIT_CODES } from "../../../src/errors.ts";
import { asPid1, noPid1 } from "../../helpers/namespaces.ts";
import { childrenOf, kill } from "../../helpers/processes.ts";
import { startService } from "../../helpers/service.ts";
import { until } from "../../helpers/until.ts";
import { QUICK, ROWS, readText, showExitCodes } from "./table.ts";

showExitCodes("as PID 1", asPid1 ?? [], noPid1);

test("the exit code of children 110: their master died", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "rc-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, "codes");
  const app = "stop-exit-code.mjs";
  const service = await startService(t, { app, agent: app, workers: 1, env: { EXIT_FILE: file }, flags: QUICK });
  await service.untilReady();
  const children = childrenOf(service.pid);
  t.after(() => {
    for (const pid of children) kill(pid);
  });
  service.signal("SIGKILL");
  await until("both have ended", () => readText(file).split("\n").length === 3);
  assert.deepEqual(readText(file).trim().split("\n").sort(), ["agent 110", "worker 110"]);
});

test("the table has a row for each code", () => {
  const shown = new Set([...ROWS.map(({ code }) => code), 110]);
  assert.deepEqual(
    Object.values(EXIT_CODES).filter((code) => !shown.has(code)),
    [],
  );
});
