// Namespaces of a test's own: what makes a command PID 1, and what it may then see.
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { hasKoffi } from "../../src/system/libc.ts";
import { childrenOf } from "./processes.ts";
import { until } from "./until.ts";

const NAMESPACES: readonly (readonly string[])[] = [[], ["--user", "--map-root-user"]];

/** The flags of unshare that this user may use; undefined where neither root nor user namespaces are to be had. */
const allowed: readonly string[] | undefined =
  process.platform !== "linux"
    ? undefined
    : NAMESPACES.find((flags) => spawnSync("unshare", [...flags, "--pid", "--fork", "--mount-proc", "true"]).status === 0);

/** Put before a command, makes it PID 1; undefined where that cannot be. */
export const asPid1: readonly string[] | undefined = allowed && ["unshare", ...allowed, "--pid", "--fork", "--mount-proc"];

/** The same, after a script of its own has changed what is mounted. */
export function asPid1After(script: string): readonly string[] {
  return [...(asPid1 ?? []), "sh", "-c", `${script}\nexec "$@"`, "sh"];
}

/** PID 1 whose /proc is still the outer one, as a careless container has it. */
export const asPid1InForeignProc: readonly string[] = ["unshare", ...(allowed ?? []), "--pid", "--fork"];

/** Takes every init that the machine has away. */
export const WITHOUT_INITS = `
for name in tini tini-static docker-init catatonit dumb-init; do
  for folder in /sbin /usr/bin /usr/local/bin /bin /usr/libexec/podman; do
    if [ -f $folder/$name ]; then mount --bind /dev/null $folder/$name; fi
  done
done`;

/** For the environment: as if koffi were not installed. */
export const WITHOUT_KOFFI: Readonly<Record<string, string>> = {
  NODE_OPTIONS: `--require=${fileURLToPath(new URL("../fixtures/hide-koffi.cjs", import.meta.url))}`,
};

/** False, or why a test of PID 1 is skipped. */
export const noPid1: false | string = asPid1 === undefined && "needs root or user namespaces";
/** False, or why a test of the reaper is skipped. */
export const noReaper: false | string = noPid1 || (!hasKoffi() && "koffi is not installed: npm ci");

/** The process below unshare: PID 1 in there. */
export function firstBelow(pid: number): Promise<number> {
  return until("PID 1 is there", () => childrenOf(pid)[0]);
}
