import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { explainSizing, type Sizing, type SizingInput, sizeService } from "../../../src/policy/sizing.ts";

const MIB = 1024 * 1024;

function inputWith(changes: Partial<SizingInput>): SizingInput {
  return {
    workers: { kind: "auto" },
    affinityCpus: 4,
    cgroupCpus: null,
    declaredCpus: null,
    memoryLimitBytes: null,
    hasAgent: false,
    userHeapMiB: null,
    maxMemory: { kind: "auto" },
    minReady: 1,
    ...changes,
  };
}

function size(changes: Partial<SizingInput>): Extract<Sizing, { ok: true }> {
  const sizing = sizeService(inputWith(changes));
  assert.ok(sizing.ok, sizing.ok ? "" : sizing.problem);
  return sizing;
}

describe("CPUs", () => {
  const cases: readonly [title: string, changes: Partial<SizingInput>, cpus: number, from: string][] = [
    ["takes the affinity without any other limit", {}, 4, "CPU affinity"],
    ["floors a quota of 1.5 CPUs to one worker", { cgroupCpus: 1.5 }, 1, "cgroup quota"],
    ["floors a quota of 2.9 CPUs to two workers", { cgroupCpus: 2.9 }, 2, "cgroup quota"],
    ["names the quota where Node's own count has it in it", { affinityCpus: 1, cgroupCpus: 1.5 }, 1, "cgroup quota"],
    ["runs one worker on a tenth of a CPU", { cgroupCpus: 0.1 }, 1, "cgroup quota"],
    ["takes ROLLCALL_CPUS when it is the least", { cgroupCpus: 3, declaredCpus: 2 }, 2, "ROLLCALL_CPUS"],
    ["never takes more than the machine has", { declaredCpus: 64, cgroupCpus: 8 }, 4, "CPU affinity"],
  ];
  for (const [title, changes, cpus, from] of cases) {
    it(title, () => {
      const sizing = size(changes);
      assert.deepEqual([sizing.cpus, sizing.cpusFrom, sizing.workers, sizing.workersFrom], [cpus, from, cpus, "one per CPU"]);
      assert.deepEqual(sizing.notes, []);
    });
  }
});

describe("workers", () => {
  it("are said to be fewer than it takes to be ready", () => {
    const note = (workers: string): string => `min-ready is 5, but there ${workers} only: that many are enough to be ready`;
    assert.deepEqual(size({ minReady: 5 }).notes, [note("are 4 workers")]);
    assert.deepEqual(size({ minReady: 5, cgroupCpus: 1, memoryLimitBytes: 1024 * MIB }).notes, [note("is 1 worker")]);
    assert.deepEqual(size({ minReady: 4 }).notes, []);
  });

  it("keeps a number, whatever the CPUs", () => {
    const sizing = size({ workers: { kind: "count", count: 12 } });
    assert.deepEqual([sizing.cpus, sizing.workers, sizing.workersFrom, sizing.notes], [4, 12, "as set", []]);
  });

  for (const [share, cpus, workers] of [
    [0.5, 8, 4],
    [0.5, 3, 2],
    [0.25, 5, 1],
    [0.1, 2, 1],
    [1.5, 4, 6],
  ] as const) {
    it(`rounds ${share * 100} % of ${cpus} CPUs to ${workers}`, () => {
      const sizing = size({ workers: { kind: "share", share }, affinityCpus: cpus });
      assert.equal(sizing.workers, workers);
      assert.equal(sizing.workersFrom, `${share * 100} % of ${cpus} CPUs`);
    });
  }

  it("warns of more than 8 workers when nothing limits the CPUs, naming both remedies", () => {
    const [note = ""] = size({ affinityCpus: 9 }).notes;
    assert.match(note, /ROLLCALL_CPUS/);
    assert.match(note, /--workers/);
    assert.equal(size({ affinityCpus: 64, memoryLimitBytes: 512 * MIB }).notes.length, 2);
  });

  it("does not warn of 8 workers, of a limit, or of a number that was set", () => {
    assert.deepEqual(size({ affinityCpus: 8 }).notes, []);
    assert.deepEqual(size({ affinityCpus: 64, cgroupCpus: 16 }).notes, []);
    assert.deepEqual(size({ affinityCpus: 64, declaredCpus: 16 }).notes, []);
    assert.deepEqual(size({ affinityCpus: 64, workers: { kind: "count", count: 32 } }).notes, []);
  });
});

describe("memory", () => {
  it("gives no shares and no heap without a limit", () => {
    const sizing = size({ hasAgent: true });
    assert.deepEqual([sizing.workerShareBytes, sizing.agentShareBytes, sizing.heapMiB], [null, null, null]);
  });

  it("keeps 64 MiB for the master and shares the rest among workers and agent", () => {
    const sizing = size({ memoryLimitBytes: 1024 * MIB, hasAgent: true });
    assert.deepEqual([sizing.workers, sizing.workerShareBytes, sizing.agentShareBytes], [4, 192 * MIB, 192 * MIB]);
    assert.equal(sizing.heapMiB, 104);
    assert.deepEqual(sizing.notes, []);
    const alone = size({ memoryLimitBytes: 1024 * MIB });
    assert.deepEqual([alone.workerShareBytes, alone.agentShareBytes, alone.heapMiB], [240 * MIB, null, 140]);
  });

  it("adds no heap flag beside the user's own, and notes one that does not fit", () => {
    const fitting = size({ memoryLimitBytes: 1024 * MIB, userHeapMiB: 140 });
    assert.deepEqual([fitting.heapMiB, fitting.notes], [null, []]);
    const large = size({ memoryLimitBytes: 1024 * MIB, userHeapMiB: 2048 });
    assert.equal(large.heapMiB, null);
    assert.match(large.notes.join(), /a heap of 2048 MiB, as set, is more than the 140 MiB/);
  });

  it("runs fewer workers rather than give one less than 128 MiB, and says so", () => {
    const sizing = size({ memoryLimitBytes: 512 * MIB });
    assert.deepEqual([sizing.workers, sizing.workersFrom], [3, "as many as the memory holds (one per CPU would be 4)"]);
    assert.match(sizing.notes.join(), /^3 workers instead of 4: .* 512 MiB .* 4 need 576 MiB$/);
    assert.equal(size({ memoryLimitBytes: 576 * MIB }).workers, 4);
    assert.equal(size({ memoryLimitBytes: 576 * MIB, hasAgent: true }).workers, 3);
    assert.equal(size({ memoryLimitBytes: 512 * MIB, workers: { kind: "share", share: 1 } }).workers, 3);
  });

  it("still runs one worker when not even that one gets 128 MiB, and notes the shortage", () => {
    const sizing = size({ memoryLimitBytes: 96 * MIB, hasAgent: true });
    assert.deepEqual([sizing.workers, sizing.workerShareBytes, sizing.heapMiB], [1, 16 * MIB, 32]);
    assert.equal(sizing.notes.length, 2);
    assert.match(sizing.notes[1] ?? "", /leave 16 MiB each.*raise the memory limit \(to 320 MiB\)/);
  });

  it("keeps a number of workers and notes the shortage", () => {
    const sizing = size({ memoryLimitBytes: 256 * MIB, workers: { kind: "count", count: 4 } });
    assert.deepEqual([sizing.workers, sizing.workerShareBytes, sizing.heapMiB], [4, 48 * MIB, 32]);
    assert.equal(sizing.notes.length, 1);
    assert.match(sizing.notes[0] ?? "", /leave 48 MiB each.*fewer workers or raise the memory limit \(to 576 MiB\)/);
  });

  it("refuses to start under 96 MiB, saying what is needed", () => {
    const sizing = sizeService(inputWith({ memoryLimitBytes: 96 * MIB - 1, hasAgent: true }));
    assert.equal(sizing.ok, false);
    assert.match(sizing.ok ? "" : sizing.problem, /is 95\.99 MiB.*at least 96 MiB.*320 MiB is comfortable.*--workers 1/);
  });

  it("starts under 96 MiB, and under the master's own part, with a number of workers", () => {
    const workers = { kind: "count", count: 1 } as const;
    assert.equal(size({ memoryLimitBytes: 80 * MIB, workers }).workerShareBytes, 16 * MIB);
    assert.equal(size({ memoryLimitBytes: 48 * MIB, workers }).workerShareBytes, 0);
  });

  it("never lets shares and the master exceed the limit", () => {
    for (let limit = 96; limit < 4096; limit += 37) {
      for (const hasAgent of [false, true]) {
        const { workers, workerShareBytes } = size({ memoryLimitBytes: limit * MIB, affinityCpus: 16, cgroupCpus: 16, hasAgent });
        const processes = workers + (hasAgent ? 1 : 0);
        assert.ok((workerShareBytes ?? 0) * processes + 64 * MIB <= limit * MIB, `${limit} MiB`);
        assert.ok(workers === 1 || (workerShareBytes ?? 0) >= 128 * MIB, `${limit} MiB`);
      }
    }
  });
});

describe("recycling", () => {
  const recycleMiB = (changes: Partial<SizingInput>): number | null => {
    const { recycleBytes } = size({ workers: { kind: "count", count: 1 }, ...changes });
    return recycleBytes === null ? null : recycleBytes / MIB;
  };

  it("goes by the share, before a full heap ends the process", () => {
    assert.equal(recycleMiB({ memoryLimitBytes: (64 + 256) * MIB }), 192);
    assert.equal(recycleMiB({ memoryLimitBytes: (64 + 1024) * MIB }), 768);
  });

  it("leaves a small app that works alone, however small the share", () => {
    for (const share of [0, 56, 128, 160]) assert.equal(recycleMiB({ memoryLimitBytes: (64 + share) * MIB }), 128);
  });

  it("goes by what the kernel grants when the heap is the user's own", () => {
    assert.equal(recycleMiB({ memoryLimitBytes: (64 + 1000) * MIB, userHeapMiB: 300 }), 900);
  });

  it("is off without a limit, or when that was asked for", () => {
    assert.equal(recycleMiB({}), null);
    assert.equal(recycleMiB({ maxMemory: { kind: "off" }, memoryLimitBytes: 1024 * MIB }), null);
  });

  it("takes a size with or without a limit, and notes one that is more than the share", () => {
    const maxMemory = { kind: "size", bytes: 300 * MIB } as const;
    assert.equal(recycleMiB({ maxMemory }), 300);
    const { notes, recycleBytes } = size({ maxMemory, workers: { kind: "count", count: 1 }, memoryLimitBytes: (64 + 256) * MIB });
    assert.equal(recycleBytes, 300 * MIB);
    assert.deepEqual(notes, [
      "max-memory (300 MiB) is more than a worker's share of 256 MiB: the kernel may kill a worker before it is recycled",
    ]);
  });
});

describe("explainSizing", () => {
  const explain = (changes: Partial<SizingInput>): readonly string[] => explainSizing(sizeService(inputWith(changes)), inputWith(changes));

  it("shows the arithmetic", () => {
    assert.deepEqual(explain({ cgroupCpus: 2.5, memoryLimitBytes: 832 * MIB, hasAgent: true }), [
      "cpus: 2, from cgroup quota (the least of affinity 4, cgroup quota 2.5, ROLLCALL_CPUS not set; floored, at least 1)",
      "workers: 2, one per CPU",
      "memory: (832 MiB limit - 64 MiB for the master) / (2 workers + 1 agent) = 256 MiB each",
      "heap: max(32, 0.75 x 256 - 40) = 152 MiB (--max-old-space-size)",
      "recycling: max(128, 0.75 x 256) = 192 MiB resident, or 122 MiB of heap after garbage collection (max-memory; each worker's own limit is 90 to 100 % of it)",
    ]);
  });

  it("says what is missing without a limit, and what the user set", () => {
    assert.deepEqual(explain({}).slice(2), [
      "memory: no limit, so no shares",
      "heap: Node's default",
      "recycling: off: max-memory is auto, and there is no memory limit",
    ]);
    assert.equal(explain({ userHeapMiB: 300 })[3], "heap: 300 MiB, as set");
    assert.equal(explain({ userHeapMiB: 90, memoryLimitBytes: 1024 * MIB })[3], "heap: 90 MiB, as set");
    assert.equal(explain({ maxMemory: { kind: "off" } })[4], "recycling: off, as set (max-memory)");
    const set = "recycling: 300 MiB resident, as set (max-memory; each worker's own limit is 90 to 100 % of it)";
    assert.equal(explain({ maxMemory: { kind: "size", bytes: 300 * MIB } })[4], set);
  });

  it("adds the notes, and the problem", () => {
    assert.match(explain({ memoryLimitBytes: 512 * MIB }).at(-1) ?? "", /^note: 3 workers instead of 4/);
    assert.match(explain({ memoryLimitBytes: 64 * MIB }).at(-1) ?? "", /^problem: the memory limit is 64 MiB/);
  });
});
