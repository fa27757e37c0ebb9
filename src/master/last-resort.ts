// What must be true however the master ends: no child outlives it, its files are gone, the last lines are written. And what it
// does about an error of its own: a stop with exit 1, at once if that fails too. Runs in the master.
import { constants } from "node:os";
import { onExit } from "signal-exit";
import type { MasterLog } from "../log.ts";
import type { Children } from "../process/children.ts";
import { leaveAtOnce } from "../system/leave.ts";
import type { World } from "../system/world.ts";

interface Parts {
  /** Never throws. */
  readonly desk: { removeFiles(): void };
  readonly children: Children;
  readonly log: MasterLog;
  readonly world: World;
  /** Begins the stop for an error of the master's own; false when nothing more can come of one. */
  readonly fail: () => boolean;
}

export function prepareLastResort({ desk, children, log, world, fail }: Parts): void {
  // Every way out that no handler sees: signals without one, exit() by anybody.
  onExit((code, signal) => {
    if (signal != null)
      log.write({
        level: "fatal",
        fields: { signal },
        message: `${signal} is none of the signals that the master takes as an order; it ends at once`,
      });
    const hasThread = children.killAll();
    desk.removeFiles();
    log.flush();
    const ended = signal == null ? null : 128 + (constants.signals[signal] ?? 0);
    if (hasThread) leaveAtOnce(ended ?? code ?? 1);
    // Raised again, as is done now, it ends every process but PID 1, which would live on without its children.
    if (ended !== null && process.pid === 1) process.exit(ended);
  });
  process.on("uncaughtException", (error) => {
    log.write({ level: "fatal", fields: { err: error }, message: `Cannot go on: unexpected error in the master: ${error.message}` });
    if (!fail()) world.exit(1);
  });
}
