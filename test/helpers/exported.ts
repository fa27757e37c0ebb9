// A service of one worker whose app exports what is to be served: from ready to a stop that ends well.
import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { type Service, type ServiceOptions, startService } from "./service.ts";

export async function startExported(t: TestContext, options: ServiceOptions): Promise<Service> {
  const service = await startService(t, { workers: 1, ...options, flags: ["--drain-idle", "100ms", ...(options.flags ?? [])] });
  await service.untilReady();
  return service;
}

export async function stopWell(service: Service): Promise<void> {
  service.signal("SIGTERM");
  assert.equal((await service.exited()).code, 0, service.output());
}
