// Metrics that are read at each scrape from what the master knows, and kept nowhere else: what is not set any more is gone. Runs in the master.
import { Counter, Gauge, type Registry } from "prom-client";

type Labels = Readonly<Record<string, string | number>>;
/** Sets one sample; one that is not known is left out. */
export type Setter = (labels: Labels, value: number | null | undefined) => void;
type Read = (set: Setter) => void | Promise<void>;

export type AddMetric = (name: string, help: string, labelNames: readonly string[], read: Read) => void;

export function addsTo(registry: Registry): { readonly gauge: AddMetric; readonly counter: AddMetric } {
  const registers = [registry];
  return {
    gauge: (name, help, labelNames, read) => {
      new Gauge({ name, help, labelNames: [...labelNames], registers, collect });
      async function collect(this: Gauge): Promise<void> {
        const samples = await take(read);
        this.reset();
        for (const [labels, value] of samples) this.set({ ...labels }, value);
      }
    },
    counter: (name, help, labelNames, read) => {
      new Counter({ name, help, labelNames: [...labelNames], registers, collect });
      async function collect(this: Counter): Promise<void> {
        const samples = await take(read);
        this.reset();
        for (const [labels, value] of samples) this.inc({ ...labels }, value);
      }
    },
  };
}

/** First all, then the old ones go: another scrape may read in between. */
async function take(read: Read): Promise<readonly (readonly [Labels, number])[]> {
  const samples: [Labels, number][] = [];
  await read((labels, value) => {
    if (value != null) samples.push([labels, value]);
  });
  return samples;
}
