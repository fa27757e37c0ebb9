// The reloads and the scaling again where IPv6 is off: in a network namespace of their own, with declared ports. Root can make one.
// As long as half of the two files that it runs.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { STRATEGIES } from "../helpers/strategies.ts";

const NAMESPACE = [
  "unshare",
  "--net",
  "sh",
  "-c",
  'ip link set lo up && echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6 && exec "$@"',
  "sh",
];
const canMake = process.platform === "linux" && spawnSync(NAMESPACE[0] as string, [...NAMESPACE.slice(1), "true"]).status === 0;
const FILES = ["listening-reload", "listening-scale"];

for (const file of FILES) {
  test(`${file}, without IPv6`, { skip: !canMake && "needs root, to make a network namespace", timeout: 3_600_000 }, async (t) => {
    const path = fileURLToPath(new URL(`${file}.test.ts`, import.meta.url));
    const run = [process.execPath, "--test", "--test-reporter=spec", "--test-name-pattern= declared", path];
    // A test runner inside a test runner says nothing, unless it does not know.
    const { NODE_TEST_CONTEXT: _, ...env } = process.env;
    const child = spawn(NAMESPACE[0] as string, [...NAMESPACE.slice(1), ...run], { env, stdio: ["ignore", "pipe", "inherit"] });
    t.after(() => child.kill("SIGTERM"));
    let output = "";
    child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
    const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
    assert.equal(code, 0, output);
    assert.match(output, new RegExp(`ℹ pass ${STRATEGIES.length}\\b`));
    for (const line of output.split("\n")) if (/^\s+[✔ℹ] /.test(line)) t.diagnostic(line.trim());
  });
}
