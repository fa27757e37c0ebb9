// A service whose agent and workers send what the test tells them to, and say what they hear: test/fixtures/apps/post.mjs.
import type { TestContext } from "node:test";
import { freePort } from "./ports.ts";
import { type Service, type ServiceOptions, startService } from "./service.ts";
import { DEADLINE_MS, until } from "./until.ts";

export interface Answer {
  readonly result?: unknown;
  readonly code?: string;
  readonly message?: string;
}

export interface PostService extends Service {
  /** Calls the messenger in the agent, or in one of the workers. */
  readonly tell: (role: "agent" | "worker", call: string, ...args: readonly unknown[]) => Promise<Answer>;
  /** What was heard, such as `worker 0 heard hello 'x' from agent 123`, in the order of the output. */
  readonly heard: (pattern: RegExp) => readonly string[];
  readonly untilHeard: (pattern: RegExp, times?: number) => Promise<readonly string[]>;
  /** Of "agent" or "worker 0": of the process that said it last. */
  readonly pidOf: (who: string) => Promise<number>;
}

export async function startPost(t: TestContext, options: Partial<ServiceOptions> = {}): Promise<PostService> {
  const agentPort = await freePort();
  const service = await startService(t, {
    app: "post.mjs",
    ...("agent" in options ? {} : { agent: "post.mjs" }),
    workers: 2,
    ...options,
    env: { AGENT_PORT: String(agentPort), ...options.env },
  });
  await service.untilReady();
  const heard = (pattern: RegExp): readonly string[] =>
    service
      .output()
      .split("\n")
      .filter((line) => line.includes(" heard ") && pattern.test(line));
  return {
    ...service,
    heard,
    tell: async (role, call, ...args) => {
      const url = role === "agent" ? `http://127.0.0.1:${agentPort}/` : service.url("/");
      const body = JSON.stringify({ call, args });
      const headers = { connection: "close" };
      return (await fetch(url, { method: "POST", body, headers, signal: AbortSignal.timeout(DEADLINE_MS) })).json() as Promise<Answer>;
    },
    untilHeard: (pattern, times = 1) =>
      until(`${pattern} was heard ${times} times`, () => {
        const lines = heard(pattern);
        return lines.length >= times ? lines : null;
      }),
    pidOf: (who) =>
      until(`${who} has said its pid`, () => Number([...service.output().matchAll(new RegExp(`^${who} is (\\d+)$`, "gm"))].at(-1)?.[1])),
  };
}
