// The desk: what the outside may ask of the master: probes, metrics with the status, and orders over the control socket. Its libraries are the largest
// part of the master, so they load beside the children's boot; what is counted and logged before then is kept or not missed. Runs in the master.
import type { Config } from "../config/config.ts";
import { ClusterError } from "../errors.ts";
import type { Line } from "../log.ts";
import type { Tally } from "../policy/effects.ts";
import type { Order } from "../policy/events.ts";
import { isLive, isReady } from "../policy/select.ts";
import type { State } from "../policy/state.ts";
import type { Control } from "./control.ts";
import type { Endpoint } from "./endpoint.ts";
import type { Metrics, MetricsSource } from "./metrics/metrics.ts";
import { portConflict } from "./preflight.ts";
import type { Probes } from "./probes.ts";

export interface DeskSource extends MetricsSource {
  readonly config: Config;
  status(): object;
  order(order: Order): void;
  write(line: Line): void;
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
  #control: Control | null = null;
  #isClosed = false;
  #isShown = true;

  constructor(source: DeskSource) {
    this.#source = source;
  }

  /**
   * Opens what was asked for by a path that may turn out wrong: before anything is forked.
   * @throws ClusterError ERR_CONFIG (exit 2) for a control socket's path
   */
  async openEarly(): Promise<void> {
    if (this.#source.config.control !== null) await this.#openControl();
  }

  /**
   * Opens everything else. Null when the desk was closed meanwhile.
   * @throws ClusterError ERR_PORT_CONFLICT (exit 7) for a port that was taken after it was checked
   */
  async open(): Promise<DeskPorts | null> {
    const { config } = this.#source;
    if (config.control === null) await this.#openControl();
    if (this.#isClosed) return this.#closeAll();
    // An orchestrator asks for the probes before it asks for metrics.
    const { openProbes } = await import("./probes.ts");
    const probes = await openProbes(config.probesPort).catch(explain(config.probesPort, "the probes", "--probes-port"));
    this.#probes = probes;
    this.settled(this.#source.state());
    const [{ createMetrics }, { openEndpoint }] = await Promise.all([import("./metrics/metrics.ts"), import("./endpoint.ts")]);
    const metrics = createMetrics(this.#source);
    for (const count of this.#kept.splice(0)) count(metrics);
    this.#metrics = metrics;
    if (this.#isClosed) return this.#closeAll();
    const source = { contentType: metrics.contentType, metrics: () => metrics.render(), status: () => this.#source.status() };
    const endpoint = await openEndpoint(config.metricsPort, config.metricsHost, source).catch(
      explain(config.metricsPort, "the metrics", "--metrics-port"),
    );
    this.#endpoint = endpoint;
    if (this.#isClosed) return this.#closeAll();
    return { probesPort: probes.port, metricsPort: endpoint.port };
  }

  /** Probes answer by this state from now on, and whoever gave an order hears how it goes. */
  settled(state: State): void {
    this.#control?.settled(state);
    const shown = { live: isLive(state), ready: isReady(state, this.#source.now()) };
    this.#probes?.show(shown).then(
      () => (this.#isShown = true),
      (error: Error) => this.#notShown(error),
    );
  }

  /** It is tried again whenever anything happens, and told once. */
  #notShown(error: Error): void {
    if (!this.#isShown) return;
    this.#isShown = false;
    this.#source.write({ level: "error", fields: { err: error }, message: `Cannot show the state on the probes port: ${error.message}` });
  }

  /** A line of the log, for whoever follows an order. */
  heard({ level, message, fields }: Line): void {
    this.#control?.heard(level, message, fields);
  }

  tally(entry: Tally): void {
    this.#count((metrics) => metrics.tally(entry));
  }

  addCut(connections: number): void {
    this.#count((metrics) => metrics.addCut(connections));
  }

  /** The service has ended: closes the ports, and tells those who wait for it on the control socket. */
  end(exitCode: number): void {
    this.#isClosed = true;
    this.#closeAll();
    this.#control?.end(exitCode);
  }

  /** The last resort: takes the control socket's file away. */
  removeFiles(): void {
    this.#control?.remove();
  }

  async #openControl(): Promise<void> {
    const { config, state, now, order, status, write } = this.#source;
    if (config.control === "off") return;
    const warn = (message: string): void => write({ level: "warn", fields: {}, message });
    const { openControl } = await import("./control.ts");
    this.#control = await openControl(config.control, { state, now, order, status, warn });
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
