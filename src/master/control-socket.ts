// Opens the control socket's file: for its owner alone from its first moment, never over a live service's, and away again at the end.
// Runs in the master.
import { rmSync } from "node:fs";
import type { Server } from "node:net";
import { dirname, join } from "node:path";
import { ClusterError } from "../errors.ts";
import { controlFolders, controlName, isAbsent, LONGEST_PATH, probeSocket } from "../system/control-place.ts";
import { identify, removeAtEnd } from "../system/passing-file.ts";

export interface OpenSocket {
  readonly path: string;
  /** Takes the file away, if it is still this one: for the last resort as well. */
  remove(): void;
}

/** All but reading and writing by the owner. */
const OWNER_ONLY = 0o177;

/**
 * Listens at the path that was asked for.
 * @throws ClusterError ERR_CONFIG (exit 2) when that cannot be: a live service has it, or there is something else
 */
export async function openAt(path: string, server: Server): Promise<OpenSocket> {
  const problem = await openOrSay(path, server);
  if (typeof problem !== "string") return problem;
  throw new ClusterError("ERR_CONFIG", `control: ${problem}; choose another path with --control, or off`, { reason: "usage" });
}

/** Listens where such sockets usually are. Returns words for the log where no place will do: a service can do without. */
export async function openSomewhere(server: Server, env: NodeJS.ProcessEnv): Promise<OpenSocket | string> {
  const problems: string[] = [];
  for (const folder of controlFolders(env)) {
    const opened = await openOrSay(join(folder, controlName(process.pid)), server);
    if (typeof opened !== "string") return opened;
    problems.push(opened);
  }
  return `no control socket, so rollcall status, reload and the like cannot reach this service: ${problems.join("; ")} (--control <path> chooses a place, --control off none)`;
}

async function openOrSay(path: string, server: Server): Promise<OpenSocket | string> {
  if (Buffer.byteLength(path) > LONGEST_PATH) return `the path ${path} is longer than the ${LONGEST_PATH} bytes that a socket's may have`;
  const before = identify(path);
  const found = await probeSocket(path);
  if (found === "live") return `a live service has ${path}`;
  if (found === "unreachable") return `${path} is there already and is not a socket of this user`;
  try {
    // Looked at once more: in the meantime another master may have replaced it by its own.
    if (found === "stale" && identify(path) === before) rmSync(path);
    await listen(server, path);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === "EADDRINUSE") return `another service has just taken ${path}`;
    // Node says EACCES for it.
    const folder = dirname(path);
    return `cannot open ${path}: ${isAbsent(folder) ? `there is no folder ${folder}` : message}`;
  }
  return { path, remove: removeAtEnd(path) };
}

/** The file comes to be within listen(), so a mask for just that long is no race; a chmod afterwards would be one. */
function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    const before = process.umask(OWNER_ONLY);
    try {
      server.listen(path, () => {
        server.off("error", reject);
        resolve();
      });
    } finally {
      process.umask(before);
    }
  });
}
