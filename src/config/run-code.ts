// Runs a config file that is code in a short-lived child and takes back plain JSON. Runs in the master, at start only.
// Its one rule: the master runs no user code, and waits no longer than the deadline.

import { spawn } from "node:child_process";
import type { Readable } from "node:stream";
import { ownFile } from "../package/own-file.ts";

export type CodeResult = { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly problem: string };

const CHILD: string = ownFile("config/config-child", ".js");

/** The default export of `path`, or what kept it from us, in words that fit behind the file's name. */
export function runConfigCode(path: string, cwd: string, env: NodeJS.ProcessEnv, deadlineMs: number): Promise<CodeResult> {
  return new Promise((settle) => {
    // The answer has a pipe of its own: what the code prints goes to stderr, for a person. Type stripping still warns on Node 22.
    const flags = ["--disable-warning=ExperimentalWarning", "--disable-warning=MODULE_TYPELESS_PACKAGE_JSON"];
    const child = spawn(process.execPath, [...flags, CHILD, path], { cwd, env, stdio: ["ignore", 2, 2, "pipe"] });
    let answer = "";
    const answers = child.stdio[3] as Readable;
    // A stop signal ends the master at once while nothing runs yet; the child must not outlive it.
    const end = (): void => void child.kill("SIGKILL");
    process.once("exit", end);
    const finish = (result: CodeResult): void => {
      clearTimeout(timer);
      process.off("exit", end);
      answers.destroy();
      settle(result);
    };
    const timer = setTimeout(() => {
      end();
      finish({ ok: false, problem: `timed out after ${deadlineMs / 1_000}s; a config file must settle by itself` });
    }, deadlineMs);

    answers.setEncoding("utf8");
    answers.on("error", () => {});
    answers.on("data", (chunk: string) => {
      answer += chunk;
    });
    child.once("error", (error) => finish({ ok: false, problem: `cannot run it: ${error.message}` }));
    // "close" follows the exit and the end of the pipe, so the answer is whole.
    child.once("close", (code, signal) => finish(parseAnswer(answer) ?? { ok: false, problem: ending(code, signal) }));
  });
}

/** Null for no answer, or a torn one: the user's code can write to any descriptor. */
function parseAnswer(answer: string): CodeResult | null {
  try {
    return JSON.parse(answer) as CodeResult;
  } catch {
    return null;
  }
}

function ending(code: number | null, signal: NodeJS.Signals | null): string {
  if (signal !== null) return `its process was killed by ${signal} before it gave its options`;
  return `its process exited with code ${code} before it gave its options`;
}
