// A child that has lost its master is the only one left that can end what it has started: it does so on its own way out. Runs in a child.
import type { Assignment } from "../../messenger/wire.ts";
import { findKinNow, LIFE_MARK, signalProcess } from "../../system/kin.ts";
import { readStat } from "../../system/procfs.ts";

/** From SIGTERM to SIGKILL, as the master gives it. */
const GRACE_MS = 2_000;
const LOOK_AGAIN_MS = 50;

/** To be called when the channel is lost: behind what the app itself does at its exit. What is started later goes with the rest. */
export function endDescendantsAtExit({ keepsDaemons }: Pick<Assignment, "keepsDaemons">): void {
  process.once("exit", () => endDescendants(keepsDaemons));
}

/** Nobody is served any more, so nobody waits for this one. */
function endDescendants(keepsDaemons: boolean): void {
  const own = readStat(process.pid)?.session;
  const killAt = performance.now() + GRACE_MS;
  const asked = new Set<number>();
  for (;;) {
    const alive = findKinNow(LIFE_MARK, (mark) => mark === process.env[LIFE_MARK]).filter(
      ({ pid, session }) => pid !== process.pid && !(keepsDaemons && session !== own),
    );
    const isDue = performance.now() >= killAt;
    for (const each of alive) if (isDue || !asked.has(each.pid)) signalProcess(each, isDue ? "SIGKILL" : "SIGTERM");
    if (alive.length === 0 || isDue) return;
    for (const { pid } of alive) asked.add(pid);
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, LOOK_AGAIN_MS);
  }
}
