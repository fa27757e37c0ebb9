// What must be true however the master ends: no child outlives it, pid file and control socket are gone, the last lines are written. And what it
// does about an error of its own: a stop with exit 1, at once if that fails too. Runs in the master.
import { rmSync, writeFileSync } from "node:fs";
import { onExit } from "signal-exit";
import { ClusterError } from "../errors.ts";
import type { MasterLog } from "../log.ts";
import type { Children } from "../process/children.ts";
import type { World } from "../system/world.ts";

interface Parts {
  readonly pidFile: string | null;
  readonly desk: { removeFiles(): void };
  readonly children: Children;
  readonly log: MasterLog;
  readonly world: World;
  /** Begins the stop for an error of the master's own; false when one has begun already. */
  readonly fail: () => boolean;
}

/** @throws ClusterError ERR_CONFIG (exit 2) when the pid file cannot be written */
export function prepareLastResort({ pidFile, desk, children, log, world, fail }: Parts): void {
  if (pidFile !== null) writePidFile(pidFile);
  // Every way out that no handler sees: signals without one, exit() by anybody.
  onExit(() => {
    children.killAll();
    if (pidFile !== null) rmSync(pidFile, { force: true });
    desk.removeFiles();
    log.flush();
  });
  process.on("uncaughtException", (error) => {
    log.write({ level: "fatal", fields: { err: error }, message: `Cannot go on: unexpected error in the master: ${error.message}` });
    if (!fail()) world.exit(1);
  });
}

function writePidFile(path: string): void {
  try {
    writeFileSync(path, `${process.pid}\n`);
  } catch (error) {
    const message = `pid-file: cannot write ${path}: ${(error as Error).message}; expected a path in a folder that this user may write to`;
    throw new ClusterError("ERR_CONFIG", message, { reason: "usage", cause: error });
  }
}
