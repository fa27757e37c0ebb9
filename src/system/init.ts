// Other inits: which one is above this process, and, for a PID 1 that cannot reap, one that is installed and can take its place. Runs in the master.
import { spawnSync } from "node:child_process";
import { accessSync, constants, readlinkSync, statSync } from "node:fs";
import { basename, delimiter, join } from "node:path";
import { readTextOrNull } from "./procfs.ts";

/** Tells the process that an init has started in our place which one that is; not for its children. */
const MARK = "ROLLCALL_INIT";
/** The best first. Each passes TERM, HUP and the like to its one child and reaps everything; dumb-init would pass them to the whole group. */
const INITS: readonly { readonly name: string; readonly flags: readonly string[] }[] = [
  { name: "tini", flags: [] },
  { name: "tini-static", flags: [] },
  { name: "docker-init", flags: [] },
  { name: "catatonit", flags: [] },
  { name: "dumb-init", flags: ["--single-child"] },
];
/** Where images put one that is on no PATH. */
const FOLDERS: readonly string[] = ["/sbin", "/usr/bin", "/usr/local/bin", "/bin", "/usr/libexec/podman", "/"];
const PROBE_MS = 5_000;

export interface Init {
  readonly path: string;
  readonly flags: readonly string[];
}

/** The program of PID 1, such as "tini"; null when that is this process, or it cannot be seen. */
export function initAbove(root = "/proc"): string | null {
  if (process.pid === 1) return null;
  const name = executable(join(root, "1", "exe")) ?? readTextOrNull(join(root, "1", "comm"))?.trim() ?? "";
  return name === "" ? null : name;
}

/** An init that is installed and runs here. */
export function findInit(path: string = process.env.PATH ?? "", folders: readonly string[] = FOLDERS): Init | null {
  for (const { name, flags } of INITS) {
    for (const folder of [...path.split(delimiter).filter((each) => each.startsWith("/")), ...folders]) {
      const candidate = join(folder, name);
      if (isProgram(candidate) && runs(candidate)) return { path: candidate, flags };
    }
  }
  return null;
}

/**
 * Lets an init take the place of this process, which starts it anew as its child: same arguments, same environment. Returns only when that cannot be: no
 * init, a Node without execve, sockets that were handed over, or a process that has come from there.
 * A failed execve aborts Node 22 and 24, so the program has been run before.
 */
export function giveWayToInit(init: Init | null = findInit()): void {
  const { execve } = process;
  if (init === null || typeof execve !== "function" || process.env[MARK] !== undefined) return;
  // Descriptors that were handed over would be lost, a parent's channel too: Node has marked them close-on-exec.
  const isActivated = process.env.LISTEN_FDS !== undefined && process.env.LISTEN_PID === String(process.pid);
  if (isActivated || process.send !== undefined) return;
  const self = [process.execPath, ...process.execArgv, ...process.argv.slice(1)];
  execve.call(process, init.path, [init.path, ...init.flags, "--", ...self], { ...process.env, [MARK]: init.path });
}

/** The init that took this process's place, if one did. To be asked once: children do not hear of it. */
export function takeInitMark(): string | null {
  const path = process.env[MARK];
  delete process.env[MARK];
  return path ?? null;
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/** It may be of another architecture, or lack its loader. */
function runs(path: string): boolean {
  return spawnSync(path, ["--version"], { stdio: "ignore", timeout: PROBE_MS, killSignal: "SIGKILL" }).status === 0;
}

function executable(link: string): string | null {
  try {
    return basename(readlinkSync(link).replace(/ \(deleted\)$/, ""));
  } catch {
    return null;
  }
}
