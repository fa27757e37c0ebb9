// How connections that stay are spread over the workers: the busiest worker's share against the mean.
import { type Connection, connect } from "../request.ts";
import type { Service } from "../service.ts";
import { median } from "../statistics.ts";
import { type Load, metric } from "./load.ts";

const TIMES = 5;

export const evenness: Load = {
  name: "evenness",
  title: "Evenness: connections of the busiest worker / mean",
  how: `16 connections opened one by one, each answered before the next; 64 opened at once; median of ${TIMES} tries a round`,
  metrics: [metric("single", "16 one by one, max/mean", 2), metric("burst", "64 in a burst, max/mean", 2)],
  isFor: (arm) => arm.workers !== "one",
  onShared: true,
  async run({ shared, workers }) {
    const service = await shared();
    const single: number[] = [];
    const burst: number[] = [];
    for (let i = 0; i < TIMES; i++) {
      single.push(await spread(service, workers, 16, false));
      burst.push(await spread(service, workers, 64, true));
    }
    return { single: median(single), burst: median(burst) };
  },
};

async function spread({ options }: Service, workers: number, count: number, atOnce: boolean): Promise<number> {
  const connections: Connection[] = [];
  const owners: string[] = [];
  const open = async (): Promise<void> => {
    const connection = connect(options.port, true);
    connections.push(connection);
    owners.push((await connection.ask("/who", 10_000)).body);
  };
  try {
    if (atOnce) await Promise.all(Array.from({ length: count }, open));
    else for (let i = 0; i < count; i++) await open();
    return Math.max(...counts(owners)) / (count / workers);
  } finally {
    for (const connection of connections) connection.close();
  }
}

function counts(owners: readonly string[]): readonly number[] {
  return [...Map.groupBy(owners, (owner) => owner).values()].map((group) => group.length);
}
