// The threads that Node does file and name look-ups with. Runs in the master.
import { stat } from "node:fs";

/**
 * Node starts them when they are first needed, and aborts where the system grants no thread (pids.max, RLIMIT_NPROC): in a service that has
 * run well until then, of all processes the master. So they are started while there is room, before any child.
 */
export function startThreadPool(): void {
  stat("/", () => {});
}
