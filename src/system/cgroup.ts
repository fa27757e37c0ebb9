// The limits that the kernel's control groups set for this process, v1, v2 or both. Runs in the master.
// Its one rule: a file that is missing, hidden or odd means "no limit known" (null), never a throw.
// An own parser because os.cpus() ignores quotas and libuv misses v1 hosts where cpu is not mounted together with cpuacct.

import { join } from "node:path";
import { readTextOrNull } from "./procfs.ts";

export interface CgroupLimits {
  /** Which version governs CPU and memory here: 1 also for hybrids whose cpu or memory controller is on v1. */
  readonly version: 1 | 2 | null;
  /** In CPUs, such as 1.5; null without a quota. */
  readonly cpuQuota: number | null;
  readonly memoryLimitBytes: number | null;
}

/** v1 writes "no limit" as the largest page-aligned signed integer (9223372036854771712); what is near it is none either. */
const NO_LIMIT_BYTES = 2 ** 60;

/**
 * Reads the CPU quota and the memory limit of this process: the least on the way from its cgroup up to the mount's root,
 * since each ancestor binds as well (a Kubernetes pod around its containers).
 *
 * Of v2 only `memory.max` counts: `memory.high` throttles and reclaims but kills nobody, and Kubernetes' memory QoS
 * derives it from the request; sized by it, a pod would never use the limit it was given.
 *
 * @param root prefix for the paths read, for trees of fixtures; default "/".
 */
export function readCgroup(root = "/"): CgroupLimits {
  const folders = cgroupFolders(root);
  return {
    version: folders.cpuV1.length + folders.memoryV1.length > 0 ? 1 : folders.v2.length > 0 ? 2 : null,
    // A controller is attached to one hierarchy only, so asking both versions finds each limit once.
    cpuQuota: least([...folders.v2.flat().map(quotaV2), ...folders.cpuV1.flat().map(quotaV1)]),
    memoryLimitBytes: least([
      ...folders.v2.flat().map((folder) => parseBytes(readTextOrNull(join(folder, "memory.max")))),
      ...folders.memoryV1.map(memoryLimitV1),
    ]),
  };
}

/**
 * How many processes of this process's cgroup the kernel has killed for want of memory, since the cgroup was made; null when
 * unknown (no memory controller, a v1 kernel before 4.13). A growth between two readings means that one of ours was hit.
 *
 * @param root prefix for the paths read, for trees of fixtures; default "/".
 */
export function readOomKills(root = "/"): number | null {
  const folders = cgroupFolders(root);
  // The nearest folder that has the file: ancestors count the kills of other containers too.
  const candidates = [
    ...folders.memoryV1.flat().map((folder) => join(folder, "memory.oom_control")),
    ...folders.v2.flat().map((folder) => join(folder, "memory.events")),
  ];
  for (const candidate of candidates) {
    const count = /^oom_kill (\d+)$/m.exec(readTextOrNull(candidate) ?? "")?.[1];
    if (count !== undefined) return Number(count);
  }
  return null;
}

/** For each mount of a hierarchy, the folders from the process's cgroup up to the mount's root. */
interface CgroupFolders {
  readonly v2: readonly (readonly string[])[];
  readonly cpuV1: readonly (readonly string[])[];
  readonly memoryV1: readonly (readonly string[])[];
}

function cgroupFolders(root: string): CgroupFolders {
  const memberships = parseMemberships(readTextOrNull(join(root, "proc/self/cgroup")) ?? "");
  const mounts = parseMounts(readTextOrNull(join(root, "proc/self/mountinfo")) ?? "");
  const foldersOf = (controller: string | null): readonly (readonly string[])[] => {
    // Without a membership (an unreadable /proc/self/cgroup) the mount's root is all there is to go by.
    const path = memberships.find((one) => (controller === null ? one.isV2 : one.controllers.includes(controller)))?.path ?? "/";
    const matching = mounts.filter((mount) => (controller === null ? mount.isV2 : mount.controllers.includes(controller)));
    // A mount whose root does not hold our cgroup may show another container's: it is asked only if there is no better one.
    const ours = matching.filter((mount) => isWithin(mount.root, path));
    return (ours.length > 0 ? ours : matching).map((mount) => foldersUpFrom(join(root, mount.point), pathInMount(mount.root, path)));
  };
  return { v2: foldersOf(null), cpuV1: foldersOf("cpu"), memoryV1: foldersOf("memory") };
}

interface Membership {
  readonly isV2: boolean;
  readonly controllers: readonly string[];
  readonly path: string;
}

/** /proc/self/cgroup: "4:cpu,cpuacct:/docker/<id>" on v1 (the controllers in any order), "0::/path" on v2. */
function parseMemberships(text: string): readonly Membership[] {
  const memberships: Membership[] = [];
  for (const line of text.split("\n")) {
    const [, id, controllers = "", path = ""] = /^(\d+):([^:]*):(\/.*)$/.exec(line) ?? [];
    if (id === undefined) continue;
    // The kernel marks a cgroup that was removed under its last processes.
    memberships.push({
      isV2: id === "0" && controllers === "",
      controllers: controllers.split(","),
      path: path.replace(/ \(deleted\)$/, ""),
    });
  }
  return memberships;
}

interface Mount {
  readonly isV2: boolean;
  readonly controllers: readonly string[];
  /** The cgroup that shows at the mount point: "/docker/<id>" in a v1 container, "/" in a private namespace. */
  readonly root: string;
  readonly point: string;
}

/** /proc/self/mountinfo: "id parent dev root point options [optional…] - type source super-options". */
function parseMounts(text: string): readonly Mount[] {
  const mounts: Mount[] = [];
  for (const line of text.split("\n")) {
    const [before = "", after = ""] = line.split(" - ", 2);
    const [, , , root, point] = before.split(" ");
    const [type, , superOptions = ""] = after.split(" ");
    if (root === undefined || point === undefined || (type !== "cgroup" && type !== "cgroup2")) continue;
    const controllers = type === "cgroup" ? superOptions.split(",") : [];
    mounts.push({ isV2: type === "cgroup2", controllers, root: unescapeOctal(root), point: unescapeOctal(point) });
  }
  return mounts;
}

/** mountinfo writes blank, tab, line feed and backslash as \040, \011, \012 and \134. */
function unescapeOctal(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}

function isWithin(mountRoot: string, path: string): boolean {
  return mountRoot === "/" || path === mountRoot || path.startsWith(`${mountRoot}/`);
}

/** The cgroup's path below the mount point; the point itself for a cgroup that the mount does not show (also "/../…": outside our namespace). */
function pathInMount(mountRoot: string, path: string): string {
  if (!isWithin(mountRoot, path) || path.split("/").includes("..")) return "/";
  return mountRoot === "/" ? path : path.slice(mountRoot.length);
}

function foldersUpFrom(mountPoint: string, path: string): readonly string[] {
  const names = path.split("/").filter((name) => name !== "");
  return Array.from({ length: names.length + 1 }, (_, up) => join(mountPoint, ...names.slice(0, names.length - up)));
}

/** cpu.max: "150000 100000", or "max 100000" for none. */
function quotaV2(folder: string): number | null {
  const [quota, period = "100000"] = (readTextOrNull(join(folder, "cpu.max")) ?? "").trim().split(/\s+/);
  return cpusOf(quota, period);
}

/** cpu.cfs_quota_us, -1 for none, over cpu.cfs_period_us. */
function quotaV1(folder: string): number | null {
  return cpusOf(readTextOrNull(join(folder, "cpu.cfs_quota_us"))?.trim(), readTextOrNull(join(folder, "cpu.cfs_period_us"))?.trim());
}

function cpusOf(quota: string | undefined, period: string | undefined): number | null {
  const cpus = Number(quota) / Number(period);
  return Number.isFinite(cpus) && cpus > 0 ? cpus : null;
}

/**
 * The nearest folder that has a limit file, and the ancestors' word through hierarchical_memory_limit: it knows `use_hierarchy`
 * and even the ancestors outside the mount.
 */
function memoryLimitV1(folders: readonly string[]): number | null {
  for (const folder of folders) {
    const limit = readTextOrNull(join(folder, "memory.limit_in_bytes"));
    const inherited = /^hierarchical_memory_limit (\d+)$/m.exec(readTextOrNull(join(folder, "memory.stat")) ?? "")?.[1];
    if (limit !== null || inherited !== undefined) return least([parseBytes(limit), parseBytes(inherited ?? null)]);
  }
  return null;
}

function parseBytes(text: string | null): number | null {
  const digits = /^\d+$/.exec(text?.trim() ?? "")?.[0];
  const bytes = digits === undefined ? 0 : Number(digits);
  return bytes > 0 && bytes < NO_LIMIT_BYTES ? bytes : null;
}

function least(values: readonly (number | null)[]): number | null {
  return values.reduce((best, value) => (value !== null && (best === null || value < best) ? value : best), null);
}
