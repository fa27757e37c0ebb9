// Tells the master of a TERM that is not heeded: a child takes its orders from the master alone, and whoever sent it, the app itself perhaps, waits for
// an end that does not come. Runs in a child.
import type { Channel } from "../border/channel.ts";
import type { SignalGuard } from "../border/signal-guard.ts";
import type { Drain } from "./drain.ts";

/** Whoever sends it to a whole group sends it to the master too, whose order follows. */
const ORDER_MS = 2_000;

interface Parts {
  readonly guard: SignalGuard;
  readonly channel: Channel;
  readonly drain: Drain;
}

export function tellOfStrayTerm({ guard, channel, drain }: Parts): void {
  let isTold = false;
  guard.onTerm(() => {
    if (isTold) return;
    isTold = true;
    setTimeout(() => drain.begun || channel.send({ type: "unheeded" }), ORDER_MS).unref();
  });
}
