// What the master is configured by, fuzzed: arguments, environment and config files of every kind of nonsense come to a configuration or to problems in
// words, never to an exception; and of the command itself comes exit 2 with a line, never a stack. Seeded: ROLLCALL_SEED, ROLLCALL_FUZZ_SECONDS.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { camelNameOf, envNameOf, OPTION_LIST } from "../../src/config/option-list.ts";
import { resolveConfig } from "../../src/config/resolve.ts";
import { type Chance, startChance } from "../helpers/seed.ts";
import { FIXTURES, runRollcall } from "../helpers/service.ts";

const SECONDS = Number(process.env.ROLLCALL_FUZZ_SECONDS ?? 12) / 4;
const RUNS = 6;
const APP = `${FIXTURES}http.mjs`;
const WORDS = [
  ...[
    "",
    " ",
    "0",
    "-1",
    "1",
    "2",
    "65536",
    "1e99",
    "NaN",
    "Infinity",
    "0x10",
    "50%",
    "-5%",
    "999999%",
    "5s",
    "5 s",
    "600h",
    "1ms",
    "256MiB",
    "1B",
    "off",
  ],
  ...[
    "on",
    "true",
    "null",
    "auto",
    "paired",
    "/healthz",
    "//",
    "::",
    "[::1]",
    "127.0.0.1:80",
    "localhost",
    ".",
    "/",
    "/nowhere/x",
    "A=1",
    "=",
    "A",
    "[]",
  ],
  ...["{}", '["a",1]', "[", "x".repeat(5_000), "\u0000", "\ud800", "é", "--", "-", "--x=", "$(x)", "__proto__", "constructor"],
] as const;
const JSON_VALUES = [null, true, false, 0, -1, 1.5, 1e308, "", [], [1], [[]], {}, { a: 1 }, { __proto__: null }, "x"] as const;

function name({ below, pick }: Chance): string {
  const option = pick(OPTION_LIST).name;
  return below(5) === 0 ? option.slice(0, below(option.length)) + pick(["", "x", "-", "="]) : option;
}

function argv(chance: Chance): string[] {
  const { below, pick } = chance;
  const words = Array.from({ length: below(7) }, () => {
    const flag = `--${name(chance)}`;
    return pick([[flag], [`${flag}=${pick(WORDS)}`], [flag, pick(WORDS)], [flag, pick(WORDS)], [pick(WORDS)]]);
  });
  return [...words.flat(), ...(below(2) === 0 ? [APP] : []), ...(below(5) === 0 ? ["--", pick(WORDS)] : [])];
}

/** As the kernel hands it over: nothing in it has a zero. */
function environment(chance: Chance): Record<string, string> {
  const { below, pick } = chance;
  const entries = Array.from({ length: below(6) }, () => {
    const known = envNameOf(pick(OPTION_LIST));
    return [
      pick([known, known, known, `${known}X`, "ROLLCALL_CPUS", "PORT", "ROLLCALL_", "KUBERNETES_SERVICE_HOST"]),
      pick(WORDS).replaceAll("\u0000", ""),
    ];
  });
  return Object.fromEntries(entries);
}

function file(chance: Chance): string {
  const { below, pick } = chance;
  if (below(6) === 0) return pick(["", "[]", "null", "1", "{", '{"a":', "\u0000", '"x"']);
  const entries = Array.from({ length: below(6) }, () => {
    const option = pick(OPTION_LIST);
    return [
      pick([option.name, camelNameOf(option), camelNameOf(option), name(chance), "backoff", "__proto__"]),
      pick([...JSON_VALUES, ...WORDS]),
    ];
  });
  return JSON.stringify(Object.fromEntries(entries));
}

test("comes to a configuration or to problems, whatever it is given", async (t) => {
  const chance = startChance(t);
  const cwd = mkdtempSync(join(tmpdir(), "fz-"));
  t.after(() => rmSync(cwd, { recursive: true, force: true }));
  const endsAt = performance.now() + SECONDS * 1_000;
  let good = 0;
  let bad = 0;
  while (performance.now() < endsAt) {
    writeFileSync(join(cwd, "rollcall.config.json"), file(chance));
    const given = { argv: argv(chance), env: environment(chance), cwd, isTerminal: chance.below(2) === 0 };
    const resolved = await resolveConfig(given).catch((error: Error) => {
      throw new Error(`it threw for ${JSON.stringify(given)}`, { cause: error });
    });
    if (resolved.ok) good++;
    else {
      bad++;
      assert.ok(resolved.problems.length > 0 && resolved.problems.every((problem) => typeof problem === "string" && problem !== ""));
    }
  }
  t.diagnostic(`${good} configurations, ${bad} refused`);
  assert.ok(bad > 0);
});

test("says with exit 2 what is wrong, and shows no stack", async (t) => {
  const chance = startChance(t);
  for (let run = 0; run < RUNS; run++) {
    // One mistake at least, that nothing behind it can take back: no service is started.
    const args = ["--no-such-option=1", ...argv(chance).filter((word) => !word.includes("\0") && !/^--?(h|v)/.test(word))];
    const env = Object.fromEntries(Object.entries(environment(chance)).filter(([, value]) => !value.includes("\0")));
    const { code, stdout, stderr } = await runRollcall(t, args, { env });
    assert.ok(code === 2 || (code === 0 && /Usage/.test(stdout)), `${code} for ${JSON.stringify({ args, env })}:\n${stderr}`);
    assert.doesNotMatch(stderr, /\n\s+at /);
  }
});
