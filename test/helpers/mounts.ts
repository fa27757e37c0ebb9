// A mount namespace of its own for a service: mounts that nobody else sees and that vanish with it.
import { spawnSync } from "node:child_process";

/** Runs the script, then the command in its place: put before a master. */
export function withMounts(script: string): readonly string[] {
  return ["unshare", "--mount", "--propagation", "private", "sh", "-c", `set -e; ${script}; exec "$@"`, "--"];
}

/** False, or why a test that mounts is skipped. */
export function cannotMount(): false | string {
  const script = "mount -t tmpfs none /mnt";
  const tried = spawnSync("unshare", ["--mount", "--propagation", "private", "sh", "-c", script]);
  return tried.status !== 0 && "needs unshare and the right to mount";
}
