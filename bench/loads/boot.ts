// A fresh start to the first 200, and until all workers have answered; and the stop of an idle service.
import { median } from "../statistics.ts";
import { type Load, metric } from "./load.ts";

const TIMES = 3;

export const boot: Load = {
  name: "boot",
  title: "Boot",
  how: `from the start of the command to the first 200, and until every worker has answered; median of ${TIMES} starts a round`,
  metrics: [metric("first", "first 200, ms", 0, true), metric("all", "all workers, ms", 0, true), metric("stop", "stop, ms")],
  isFor: () => true,
  onShared: false,
  async run({ start }) {
    const first: number[] = [];
    const all: number[] = [];
    const stop: number[] = [];
    for (let i = 0; i < TIMES; i++) {
      const service = await start();
      first.push(service.bootMs);
      all.push(service.allServeMs);
      stop.push(await service.stop());
    }
    return { first: median(first), all: median(all), stop: median(stop) };
  },
};
