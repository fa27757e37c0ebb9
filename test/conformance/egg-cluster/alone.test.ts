// The messenger of a process that nobody supervises, which is all that there is: what Egg's messenger does in its single mode.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { cleanEnvironment, FIXTURES } from "../../helpers/service.ts";

test("under plain node the messenger reaches the only process there is, and nobody else", () => {
  const { stdout, stderr, status } = spawnSync(process.execPath, [`${FIXTURES}messenger-alone.mjs`], {
    encoding: "utf8",
    timeout: 60_000,
    env: cleanEnvironment({}),
  });
  assert.equal(status, 0, stderr);
  assert.deepEqual(JSON.parse(stdout), {
    heard: ["broadcast app", "egg-ready master", "sendTo app", "sendToApp app"],
    refusals: ["messenger: expected an action that is a string, got object", 'messenger: expected a pid, got "nobody"'],
    question: "ERR_ASK_REFUSED",
  });
});
