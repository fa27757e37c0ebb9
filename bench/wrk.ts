// Saturating load by wrk (Debian has it), and whether every answer was a whole, right one.
import { spawn, spawnSync } from "node:child_process";
import { inBench } from "./arms/arm.ts";

export interface WrkOptions {
  readonly port: number;
  readonly path: string;
  readonly connections: number;
  readonly seconds: number;
  readonly keepAlive: boolean;
  /** Of one right answer. */
  readonly bytesEach: number;
}

export interface WrkResult {
  readonly requestsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  readonly problems: readonly string[];
}

type Raw = Readonly<
  Record<"seconds" | "requests" | "bytes" | "p50Ms" | "p99Ms" | "maxMs" | "connect" | "read" | "write" | "status" | "timeout", number>
>;

/** Null where wrk is not installed. */
export function wrkVersion(): string | null {
  const { error, stdout } = spawnSync("wrk", ["-v"], { encoding: "utf8" });
  return error === undefined ? (/wrk (\S+)/.exec(stdout)?.[1] ?? "of unknown version") : null;
}

export async function wrk(options: WrkOptions): Promise<WrkResult> {
  const { port, path, connections, seconds, keepAlive } = options;
  const header = keepAlive ? [] : ["-H", "Connection: close"];
  const args = ["-t1", `-c${connections}`, `-d${seconds}s`, "--timeout", "3s", "-s", inBench("wrk.lua"), ...header];
  const text = await run([...args, `http://127.0.0.1:${port}${path}`]);
  const line = /^RESULT (.*)$/m.exec(text)?.[1];
  if (line === undefined) throw new Error(`wrk said no result: ${text.slice(-500)}`);
  const raw = JSON.parse(line) as Raw;
  const { p50Ms, p99Ms, maxMs } = raw;
  return { requestsPerSecond: raw.requests / raw.seconds, p50Ms, p99Ms, maxMs, problems: problemsOf(raw, options) };
}

function problemsOf(raw: Raw, { bytesEach, connections }: WrkOptions): readonly string[] {
  const problems = (["connect", "read", "write", "timeout"] as const).flatMap((kind) =>
    raw[kind] > 0 ? [`${raw[kind]} ${kind} errors`] : [],
  );
  if (raw.status > 0) problems.push(`${raw.status} answers that were not 2xx`);
  if (raw.requests === 0) return [...problems, "no answer"];
  // What is under way when the time is over has been counted in bytes and not in requests.
  const least = raw.requests * bytesEach;
  if (raw.bytes < least || raw.bytes > least + connections * bytesEach)
    problems.push(`${raw.bytes} bytes for ${raw.requests} answers of ${bytesEach}`);
  return problems;
}

function run(args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn("wrk", args, { stdio: ["ignore", "pipe", "pipe"] });
    let text = "";
    child.stdout.on("data", (chunk: Buffer) => (text += chunk.toString()));
    child.stderr.on("data", (chunk: Buffer) => (text += chunk.toString()));
    child.on("error", reject);
    child.on("close", () => resolve(text));
  });
}
