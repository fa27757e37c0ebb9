// Where the self-test of held sockets fails, for real: in a network whose loopback interface is down. The service runs all the same.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { describe, test } from "node:test";
import { startListening } from "../helpers/strategies.ts";
import { until } from "../helpers/until.ts";

/** Puts what follows into a network of its own. */
const WRAPPER: readonly [string, ...string[]] = ["unshare", "-n"];
const [command, ...args] = WRAPPER;
const canUnshare = spawnSync(command, [...args, "true"]).status === 0;

describe("without a loopback interface", { skip: !canUnshare && "needs unshare and root" }, () => {
  for (const listen of ["auto", "paired", "round-robin"] as const) {
    test(`${listen}: warns once, uses round-robin and serves until it is stopped`, async (t) => {
      const service = await startListening(t, { listen, declared: true }, { workers: 2, wrapper: WRAPPER });
      await until(`it is ready\n${service.output()}`, () => service.hasLogged(/^ready in/));
      const warnings = service.log().filter(({ msg }) => msg.includes("round-robin"));
      assert.deepEqual(
        warnings.map(({ level }) => level),
        ["warn"],
      );
      assert.match(warnings[0]?.msg ?? "", /^cannot hold listening sockets on this machine and Node \(.*ENETUNREACH/);
      service.signal("SIGTERM");
      assert.equal((await service.exited()).code, 0, service.output());
    });
  }
});
