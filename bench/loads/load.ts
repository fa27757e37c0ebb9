// What is measured: one load gives some figures of one arm in one round.
import type { Arm } from "../arms/arm.ts";
import type { Clients } from "../clients.ts";
import type { Service } from "../service.ts";

export interface Context {
  readonly arm: Arm;
  readonly seconds: number;
  readonly workers: number;
  /** The arm as all undisturbing loads of this round share it; started when first asked for. */
  shared(): Promise<Service>;
  /** One of the load's own; stopped after the load at the latest. */
  start(workers?: number, rebornAfterMs?: number | null): Promise<Service>;
  /** Clients that ask the port again and again; stopped after the load at the latest. */
  clients(port: number, count: number, share: number): Clients;
  /** Whatever must not be read over: reported beside the figures. */
  problem(text: string): void;
}

export interface Metric {
  readonly name: string;
  readonly label: string;
  readonly digits: number;
  /** Ratios to the base arm are shown for these. */
  readonly ratio: boolean;
}

export interface Load {
  readonly name: string;
  readonly title: string;
  /** One sentence on the method. */
  readonly how: string;
  readonly metrics: readonly Metric[];
  readonly isFor: (arm: Arm) => boolean;
  /** Asks for `shared()` and disturbs nobody: all arms of the round are up. Other loads have the machine to themselves. */
  readonly onShared: boolean;
  /** Fewer than the run's, for what takes long. */
  readonly rounds?: number;
  run(context: Context): Promise<Readonly<Record<string, number>>>;
}

export function metric(name: string, label: string, digits = 0, ratio = false): Metric {
  return { name, label, digits, ratio };
}
