// Watches the readiness probe for as long as a test likes.
import type { TestContext } from "node:test";
import type { Service } from "./service.ts";

/** Asks /ready again and again, until the test ends or stops it; gives every answer that was not 200. */
export function watchReadiness(t: TestContext, service: Service): { stop(): Promise<readonly unknown[]> } {
  const others: unknown[] = [];
  let running = true;
  t.after(() => (running = false));
  const watch = async (): Promise<void> => {
    while (running) {
      const status = await service.probe("ready").catch((error: unknown) => error);
      if (status !== 200) others.push(status);
    }
  };
  const watching = watch();
  return {
    stop: async () => {
      running = false;
      await watching;
      return others;
    },
  };
}
