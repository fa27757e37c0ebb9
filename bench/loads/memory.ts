// Memory of the idle service, held against a Node of the same binary that does nothing, started beside it.
import { setTimeout as sleep } from "node:timers/promises";
import { inBench } from "../arms/arm.ts";
import { killAll, launch, memoryOf } from "../processes.ts";
import { type Load, metric } from "./load.ts";

const SETTLE_MS = 2_000;
const MARK = "idle node";

export const memory: Load = {
  name: "memory",
  title: "Memory, idle",
  how: "private is Private_Clean + Private_Dirty, which does not depend on who else maps the binary; the whole is all processes; bare is an idle `node` beside it",
  metrics: [
    metric("master", "master private, MiB", 1),
    metric("overBare", "master / bare node", 2),
    metric("private", "whole private, MiB", 0, true),
    metric("pss", "whole PSS, MiB", 0),
  ],
  isFor: () => true,
  onShared: false,
  async run({ arm, start }) {
    const service = await start();
    const bare = launch({ file: process.execPath, args: [inBench("app/idle.cjs")], env: {} }, MARK, 2);
    try {
      await sleep(SETTLE_MS);
      const whole = service.processes().map(memoryOf);
      const master = memoryOf(service.pid).privateMiB;
      return {
        ...(arm.hasMaster ? { master, overBare: master / memoryOf(bare).privateMiB } : {}),
        private: whole.reduce((sum, each) => sum + each.privateMiB, 0),
        pss: whole.reduce((sum, each) => sum + each.pssMiB, 0),
      };
    } finally {
      await killAll(MARK);
    }
  },
};
