// Runs Rollcall with something wrong, to its end: what it told, and that nothing is left.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { freePort } from "./ports.ts";
import { runRollcall } from "./service.ts";

export interface Result {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** What a person reads: lines on stderr, and the messages of the master's log from "warn" up. */
  readonly told: readonly string[];
}

interface Input {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** False for input that is wrong in its ports. */
  readonly ports?: boolean;
}

/** Runs to the end and checks that nothing is left; the probes and metrics ports are free ones, so that only the named mistake is one. */
export async function run(t: TestContext, args: readonly string[], { ports = true, ...input }: Input = {}): Promise<Result> {
  const own = ports ? ["--probes-port", String(await freePort()), "--metrics-port", String(await freePort())] : [];
  const mark = randomUUID();
  const env = { APP_PORT: String(await freePort()), ...input.env, BAD_INPUT_MARK: mark };
  const { code, signal, stdout, stderr } = await runRollcall(t, [...own, ...args], { ...input, env });
  assert.equal(signal, null);
  assert.deepEqual(processesMarked(mark), []);
  const logged = stdout.split("\n").flatMap((line) => {
    if (!line.startsWith('{"level":')) return [];
    const { level, msg } = JSON.parse(line) as { level: string; msg: string };
    return ["warn", "error", "fatal"].includes(level) ? [msg] : [];
  });
  return { code, stdout, stderr, told: [...stderr.split("\n").filter((line) => line !== ""), ...logged] };
}

export function assertOneLine(lines: readonly string[], pattern: RegExp): void {
  assert.equal(lines.filter((line) => pattern.test(line)).length, 1, `one line ${pattern} in:\n${lines.join("\n")}`);
}

/** Processes whose environment holds the mark: what a run has left behind. */
function processesMarked(mark: string): readonly string[] {
  return readdirSync("/proc").filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/environ`, "latin1").includes(mark);
    } catch {
      return false;
    }
  });
}

/** A folder of the test's own. */
export function scratch(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "rc-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
