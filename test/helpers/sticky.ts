// Clients of a sticky service: each has an address of its own, or a proxy says so; and which slot, and which process, serves each of them.
import type { TestContext } from "node:test";
import { ask } from "./load.ts";
import { type Service, type ServiceOptions, startService } from "./service.ts";
import { addressOf } from "./strategies.ts";

export interface Served {
  readonly slot: number;
  readonly pid: number;
  readonly bytes: number;
}

export type Client = (index: number) => { readonly localAddress: string; readonly headers?: Record<string, string> };

export const byAddress: Client = (index) => ({ localAddress: addressOf(index) });

/** All come from one proxy, which writes what they claim and their real address. */
export const behindProxy: Client = (index) => ({
  localAddress: "127.0.0.1",
  headers: { "X-Forwarded-For": `203.0.113.${index % 7}, ${addressOf(index)}` },
});

const AT_A_TIME = 8;

/** With sticky.mjs. */
export async function startSticky(t: TestContext, options: Partial<ServiceOptions> = {}): Promise<Service> {
  const flags = ["--listen", "sticky", "--drain-idle", "200ms", "--stop-timeout", "8s", ...(options.flags ?? [])];
  const service = await startService(t, { app: "sticky.mjs", workers: 3, ...options, flags });
  await service.untilReady();
  return service;
}

export async function servedTo(service: Service, client: ReturnType<Client>, path = "/"): Promise<Served> {
  const answer = await ask(service.url(path), false, client);
  if (answer.status !== 200) throw new Error(`expected 200, got ${answer.status}: ${answer.body}`);
  return JSON.parse(answer.body) as Served;
}

/** Who serves each of so many clients, on a new connection each. */
export async function servedToAll(service: Service, client: Client, count: number): Promise<readonly Served[]> {
  const served: Served[] = [];
  let next = 0;
  const asking = async (): Promise<void> => {
    for (let index = next++; index < count; index = next++) served[index] = await servedTo(service, client(index));
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, asking));
  return served;
}

/** A client of a slot, as `servedToAll` found it. */
export function clientOf(served: readonly Served[], slot: number): number {
  const index = served.findIndex((each) => each.slot === slot);
  if (index === -1) throw new Error(`no client of slot ${slot} among ${served.length}`);
  return index;
}
