import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, it } from "node:test";
import { type CgroupLimits, readCgroup, readOomKills } from "../../../src/system/cgroup.ts";

const MIB = 1024 * 1024;
const FIXTURES = join(import.meta.dirname, "../../fixtures/cgroup");

interface Case {
  readonly tree: string;
  readonly title: string;
  readonly limits: CgroupLimits;
  readonly oomKills: number | null;
}

const CASES: readonly Case[] = [
  {
    tree: "v2-private-namespace",
    title: "reads a quota of 1.5 CPUs and 256 MiB, whatever memory.high says",
    limits: { version: 2, cpuQuota: 1.5, memoryLimitBytes: 256 * MIB },
    oomKills: 2,
  },
  {
    tree: "v2-tighter-parent",
    title: "takes a tighter parent's limits, and counts only its own kills",
    limits: { version: 2, cpuQuota: 2, memoryLimitBytes: 512 * MIB },
    oomKills: 1,
  },
  {
    tree: "v2-unlimited",
    title: "takes max as no limit",
    limits: { version: 2, cpuQuota: null, memoryLimitBytes: null },
    oomKills: 0,
  },
  {
    tree: "v2-kubernetes-host-namespace",
    title: "finds a container's quota and its pod's memory on the host's tree",
    limits: { version: 2, cpuQuota: 2.5, memoryLimitBytes: 768 * MIB },
    oomKills: 0,
  },
  {
    tree: "v2-path-not-visible",
    title: "reads the mount's root when its own path lies outside the namespace",
    limits: { version: 2, cpuQuota: 0.5, memoryLimitBytes: 128 * MIB },
    oomKills: null,
  },
  {
    tree: "v2-strange-mount-point",
    title: "unescapes the mount point, and keeps colons and drops the deleted mark of a path",
    limits: { version: 2, cpuQuota: 3, memoryLimitBytes: 384 * MIB },
    oomKills: null,
  },
  {
    tree: "v2-another-containers-mount",
    title: "ignores a mount that shows another container's cgroup",
    limits: { version: 2, cpuQuota: 2, memoryLimitBytes: 512 * MIB },
    oomKills: null,
  },
  {
    tree: "v1-co-mounted",
    title: "knows cpu and cpuacct in any order",
    limits: { version: 1, cpuQuota: 2.5, memoryLimitBytes: 512 * MIB },
    oomKills: 4,
  },
  {
    tree: "v1-cpu-alone",
    title: "finds cpu without cpuacct, an ancestor's quota, and no memory limit in v1's largest number",
    limits: { version: 1, cpuQuota: 2, memoryLimitBytes: null },
    oomKills: null,
  },
  {
    tree: "v1-docker-path",
    title: "strips the mount's root from the path, and honours hierarchical_memory_limit",
    limits: { version: 1, cpuQuota: 0.75, memoryLimitBytes: 384 * MIB },
    oomKills: 1,
  },
  {
    tree: "hybrid",
    title: "reads v1's controllers beside an empty v2 tree",
    limits: { version: 1, cpuQuota: 1.5, memoryLimitBytes: 256 * MIB },
    oomKills: 0,
  },
  {
    tree: "hybrid-controllers-on-v2",
    title: "reads v2's controllers beside systemd's v1 tree",
    limits: { version: 2, cpuQuota: 1, memoryLimitBytes: 128 * MIB },
    oomKills: 7,
  },
  {
    tree: "memberships-hidden",
    title: "reads the mount's root when /proc/self/cgroup is hidden",
    limits: { version: 2, cpuQuota: 2, memoryLimitBytes: 256 * MIB },
    oomKills: null,
  },
  {
    tree: "mounts-hidden",
    title: "knows nothing when mountinfo is hidden",
    limits: { version: null, cpuQuota: null, memoryLimitBytes: null },
    oomKills: null,
  },
  {
    tree: "no-such-tree",
    title: "knows nothing where there is nothing",
    limits: { version: null, cpuQuota: null, memoryLimitBytes: null },
    oomKills: null,
  },
  {
    tree: "garbage",
    title: "takes garbage as no limit",
    limits: { version: 1, cpuQuota: null, memoryLimitBytes: null },
    oomKills: null,
  },
];

describe("cgroup", () => {
  for (const { tree, title, limits, oomKills } of CASES) {
    it(`${title} (${tree})`, () => {
      assert.deepEqual(readCgroup(join(FIXTURES, tree)), limits);
      assert.equal(readOomKills(join(FIXTURES, tree)), oomKills);
    });
  }

  it("gives sane figures on this machine", () => {
    const { version, cpuQuota, memoryLimitBytes } = readCgroup();
    assert.ok(version === null || version === 1 || version === 2);
    assert.ok(cpuQuota === null || cpuQuota > 0);
    assert.ok(memoryLimitBytes === null || (Number.isInteger(memoryLimitBytes) && memoryLimitBytes > 0));
    const kills = readOomKills();
    assert.ok(kills === null || (Number.isInteger(kills) && kills >= 0));
  });
});
