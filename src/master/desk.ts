// The desk: what the outside may ask of the master, on two ports: probes, and metrics with the status. Its libraries are the largest part of the
// master, so they load beside the children's boot; what is counted before then is kept. Runs in the master.
import type { Config } from "../config/config.ts";
import { ClusterError } from "../errors.ts";
import type { Tally } from "../policy/state.ts";
import type { Endpoint } from "./endpoint.ts";
import type { Metrics, MetricsSource } from "./metrics.ts";
import { portConflict } from "./preflight.ts";
import type { Probes } from "./probes.ts";

export interface DeskSource extends MetricsSource {
  readonly config: Config;
  status(): object;
}

export interface Shown {
  readonly live: boolean;
  readonly ready: boolean;
}

export interface DeskPorts {
  readonly probesPort: number;
  readonly metricsPort: number;
}

export class Desk {
  readonly #source: DeskSource;
  readonly #kept: ((metrics: Metrics) => void)[] = [];
  #metrics: Metrics | null = null;
  #endpoint: Endpoint | null = null;
  #probes: Probes | null = null;
  #shown: Shown = { live: true, ready: false };
  #isClosed = false;

  constructor(source: DeskSource) {
    this.#source = source;
  }

  /**
   * Opens both ports. Null when the desk was closed meanwhile.
   * @throws ClusterError ERR_PORT_CONFLICT (exit 7) for a port that was taken after it was checked
   */
  async open(): Promise<DeskPorts | null> {
    const { config } = this.#source;
    // Probes first: an orchestrator asks for them before anything else.
    const { openProbes } = await import("./probes.ts");
    if (this.#isClosed) return null;
    this.#probes = await openProbes(config.probesPort).catch(explain(config.probesPort, "the probes", "--probes-port"));
    await this.#probes.show(this.#shown);
    const [{ createMetrics }, { openEndpoint }] = await Promise.all([import("./metrics.ts"), import("./endpoint.ts")]);
    const metrics = createMetrics(this.#source);
    for (const count of this.#kept.splice(0)) count(metrics);
    this.#metrics = metrics;
    if (this.#isClosed) return this.#closeAll();
    const source = { contentType: metrics.contentType, metrics: () => metrics.render(), status: () => this.#source.status() };
    this.#endpoint = await openEndpoint(config.metricsPort, config.metricsHost, source).catch(
      explain(config.metricsPort, "the metrics", "--metrics-port"),
    );
    if (this.#isClosed) return this.#closeAll();
    return { probesPort: this.#probes.port, metricsPort: this.#endpoint.port };
  }

  /** Probes answer by this from now on. */
  show(shown: Shown): Promise<void> {
    this.#shown = shown;
    return this.#probes?.show(shown) ?? Promise.resolve();
  }

  tally(entry: Tally): void {
    this.#count((metrics) => metrics.tally(entry));
  }

  addCut(connections: number): void {
    this.#count((metrics) => metrics.addCut(connections));
  }

  close(): void {
    this.#isClosed = true;
    this.#closeAll();
  }

  #count(count: (metrics: Metrics) => void): void {
    if (this.#metrics === null) this.#kept.push(count);
    else count(this.#metrics);
  }

  #closeAll(): null {
    this.#endpoint?.close();
    this.#probes?.close();
    return null;
  }
}

/** A port that was free a moment ago may be taken now. */
function explain(port: number, what: string, option: string): (error: NodeJS.ErrnoException) => never {
  return (error) => {
    if (error.code === "EADDRINUSE") throw portConflict(port, what, option, error);
    throw new ClusterError("ERR_INTERNAL", `Cannot open port ${port} for ${what}: ${error.message}`, { reason: "internal", cause: error });
  };
}
