// Apps and agents that cannot start: each says why in one line, ends with its exit code, and leaves nothing running.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { assertOneLine, run, scratch } from "../helpers/mistakes.ts";
import { freePort } from "../helpers/ports.ts";
import { FIXTURES } from "../helpers/service.ts";

const APP = `${FIXTURES}ready-app.mjs`;

describe("an app that cannot start ends with 3:", { concurrency: 2 }, () => {
  for (const [what, app, says, shows] of [
    [
      "a syntax error",
      null,
      /^worker \d failed to boot/,
      /bad-syntax\.mjs:2\s+const answer = = 42;\s+\^[\s\S]*SyntaxError: Unexpected token '='/,
    ],
    [
      "a throw while it loads",
      "bad-throws.mjs",
      /^worker \d failed to boot: .*TypeError: DATABASE_URL is not set/,
      /TypeError: DATABASE_URL is not set\s+at .*bad-throws\.mjs:2/,
    ],
    [
      "a rejection at the top level",
      "bad-rejects.mjs",
      /^worker \d failed to boot: .*RangeError: no such table/,
      /RangeError: no such table\s+at .*bad-rejects\.mjs:2/,
    ],
    [
      "an exit with 0 before it listened",
      "bad-exits.mjs",
      /^worker \d failed to boot: it exited with code 0 before it was ready/,
      /nothing to do/,
    ],
  ] as const) {
    test(what, async (t) => {
      const { code, stdout, stderr, told } = await run(t, ["--workers", "1", app === null ? unparsable(t) : FIXTURES + app]);
      assert.equal(code, 3, told.join("\n"));
      assertOneLine(told, says);
      assert.match(stdout + stderr, shows);
    });
  }

  test("never listening, named at the boot timeout with what was waited for", async (t) => {
    const port = await freePort();
    const app = `${FIXTURES}bad-never-listens.mjs`;
    const undeclared = await run(t, ["--workers", "1", "--boot-timeout", "1s", app]);
    assert.equal(undeclared.code, 3);
    assertOneLine(undeclared.told, /^worker 0 was not ready within 1000 ms \(boot-timeout\): .*waited for it to listen on any port/);
    const declared = await run(t, ["--workers", "1", "--boot-timeout", "1s", "--port", String(port), app]);
    assert.equal(declared.code, 3);
    assertOneLine(
      declared.told,
      new RegExp(`^worker 0 was not ready within 1000 ms \\(boot-timeout\\): killing it; waited for it to listen on port ${port} `),
    );
  });

  test("listening on another port than declared, with a warning that names both", async (t) => {
    const [port, other] = [await freePort(), await freePort()];
    const args = ["--workers", "1", "--boot-timeout", "3s", "--port", String(port), `${FIXTURES}bad-port.mjs`];
    const { code, told } = await run(t, args, { env: { OTHER_PORT: String(other) } });
    assert.equal(code, 3);
    assertOneLine(told, new RegExp(`^worker 0 listens on .*:${other}, which was not declared; .*port ${port}\\b`));
    assertOneLine(told, /^worker 0 was not ready within 3000 ms/);
  });
});

describe("an agent that cannot start ends with 4, and no worker is started:", { concurrency: 2 }, () => {
  for (const [what, agent, flags, says] of [
    ["a throw while it loads", "bad-throws.mjs", [], /^agent failed to boot: .*TypeError: DATABASE_URL is not set/],
    ["a syntax error", null, [], /^agent failed to boot/],
    ["an exit before it was ready", "bad-agent-exits.mjs", [], /^agent failed to boot: it exited with code 0 before it was ready/],
    [
      "a function that never resolves",
      "bad-agent-never-ready.mjs",
      ["--boot-timeout", "1s"],
      /^agent was not ready within 1000 ms \(boot-timeout\): /,
    ],
  ] as const) {
    test(what, async (t) => {
      const { code, stdout, told } = await run(t, [...flags, "--agent", agent === null ? unparsable(t) : FIXTURES + agent, APP]);
      assert.equal(code, 4, told.join("\n"));
      assertOneLine(told, says);
      assert.ok(!stdout.includes("app begins"));
    });
  }
});

/** A file that cannot be parsed; written here, since no linter bears it in the repository. */
function unparsable(t: TestContext): string {
  const path = join(scratch(t), "bad-syntax.mjs");
  writeFileSync(path, "// Cannot be parsed.\nconst answer = = 42;\n");
  return path;
}
