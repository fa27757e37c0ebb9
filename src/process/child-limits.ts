// How much one child may say and hand over: beyond that it is not listened to, so that it can neither fill the log nor the master. Runs in the master.
import { Allowance } from "../messenger/allowance.ts";
import type { ChildToMaster } from "../messenger/wire.ts";

/** Things for the log. */
const MOST_REMARKS = 100;
const REMARKS_PERIOD_MS = 10_000;
/** Errors that nothing caught: from the first one on it drains. */
const MOST_FAULTS = 10;
/** More listening sockets than any app has, in all of its life. */
const MOST_HANDLES = 512;
/** Connections that pass through the master with letters. */
const MOST_HANDED = 10_000;
const HANDED_PERIOD_MS = 1_000;
/** Connections that it offers others: more than a worker does, each with two words. */
const MOST_SPARED = 500;
const SPARED_PERIOD_MS = 20_000;

export interface Limits {
  readonly remarks: Allowance;
  /** What it says of its health is always heard, and no more often than this told. */
  readonly health: Allowance;
  readonly faults: Allowance;
  readonly handles: Allowance;
  readonly handed: Allowance;
  readonly spared: Allowance;
}

export function newLimits(): Limits {
  return {
    remarks: new Allowance(MOST_REMARKS, REMARKS_PERIOD_MS),
    health: new Allowance(MOST_REMARKS, REMARKS_PERIOD_MS),
    faults: new Allowance(MOST_FAULTS, Number.POSITIVE_INFINITY),
    handles: new Allowance(MOST_HANDLES, Number.POSITIVE_INFINITY),
    handed: new Allowance(MOST_HANDED, HANDED_PERIOD_MS),
    spared: new Allowance(MOST_SPARED, SPARED_PERIOD_MS),
  };
}

const REMARKS: ReadonlySet<ChildToMaster["type"]> = new Set(["listening", "cut", "idle", "unheeded", "probed", "fault"]);

export function isAllowed(message: ChildToMaster, { remarks, faults, handles, spared }: Limits): boolean {
  const { type } = message;
  if (type === "lodged" || type === "locked") return handles.take();
  if (type === "fault" && !message.survived) return faults.take();
  if (REMARKS.has(type)) return remarks.take();
  if (type === "spare" || type === "yields") return spared.take();
  return true;
}
