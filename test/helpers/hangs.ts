// A worker that hangs when a test wants it to, and what the log says of it.
import http from "node:http";
import type { TestContext } from "node:test";
import type { LogLine, Service } from "./service.ts";

/** A master that has no time for as long as three eighths of it is taken for suspended: its own lateness stays under the two seconds of the promise. */
export const TIMEOUT_MS = 4_000;
export const HANG_FLAGS: readonly string[] = [
  ...["--heartbeat-timeout", `${TIMEOUT_MS}ms`, "--roll-call-period", "10m", "--stop-timeout", "4s", "--backoff-delay", "50ms"],
];
/** A hang, its discovery, a look at it, and a new process, on a machine that has no time. */
export const LONG_MS = 60_000;

/** Makes one worker hang, by a request whose answer has begun; its pid. */
export async function hang(t: TestContext, service: Service, way: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const request = http.get(service.url(way), { agent: false }, (response) => {
      response.setEncoding("utf8").once("data", (pid: string) => resolve(Number(pid)));
      response.on("error", () => {});
    });
    request.on("error", reject);
    t.after(() => request.destroy());
  });
}

export function found(service: Service, pattern: RegExp): LogLine | undefined {
  return service.log().find(({ msg }) => pattern.test(msg));
}
