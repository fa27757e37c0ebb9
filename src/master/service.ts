// The composition root: opens the ports of the master, runs the loop, performs its effects, and ends the process. No policy lives here.
import { randomUUID } from "node:crypto";
import type { Config } from "../config/config.ts";
import { ClusterError } from "../errors.ts";
import type { MasterLog } from "../log.ts";
import { findLife, isLive, isReady } from "../policy/select.ts";
import { initialState } from "../policy/service.ts";
import { takeSnapshot } from "../policy/snapshot.ts";
import type { Effect, Event, State } from "../policy/state.ts";
import { Children, type Lodging, type Remark } from "../process/children.ts";
import { HeldSockets } from "../sockets/held.ts";
import type { TcpHandle } from "../sockets/internals.ts";
import { takeSignals } from "../system/signals.ts";
import type { World } from "../system/world.ts";
import { readVersion } from "../version.ts";
import { openEndpoint } from "./endpoint.ts";
import { describeAddress, firstScreen, type Line } from "./first-screen.ts";
import { prepareLastResort } from "./last-resort.ts";
import { chooseListening, takePorts } from "./listening.ts";
import { Loop } from "./loop.ts";
import { createMetrics } from "./metrics.ts";
import { makePlan } from "./plan.ts";
import { checkPorts, portConflict } from "./preflight.ts";
import { openProbes } from "./probes.ts";
import { describeRemark } from "./remarks.ts";

export interface ServiceInput {
  readonly config: Config;
  readonly configFile: string | null;
  readonly log: MasterLog;
  readonly world: World;
}

/**
 * Runs the service until the process ends.
 * @throws ClusterError for what keeps it from starting: nothing has been forked then
 */
export async function runService({ config, configFile, log, world }: ServiceInput): Promise<void> {
  const { logger } = log;
  const startedAt = world.now();
  const version = readVersion();
  const { listening, warning } = await chooseListening(config);
  const serviceName = randomUUID();
  const plan = makePlan(config, process.env, listening);
  const sockets = new HeldSockets(listening === null ? [] : config.ports, config.host, listening?.perSlot ?? true);
  for (const lock of takePorts(config, serviceName)) sockets.keep(lock);
  await checkPorts(config);

  const addresses = new Set<string>();
  const children = new Children(
    { config, heapFlags: plan.heapFlags, service: listening === null ? null : serviceName },
    { onEvent: (event) => loop.feed(nameHolder(event)), onRemark: remark, onHandle, onReopened },
  );
  const loop = new Loop(world, initialState(plan.settings, startedAt), { perform, settled });
  const metrics = createMetrics({ version, hasAgent: plan.settings.hasAgent, state: () => loop.state, now: () => world.now() });
  const probes = await openProbes(config.probesPort).catch(explain(config.probesPort, "the probes", "--probes-port"));
  const endpoint = await openEndpoint(config.metricsPort, config.metricsHost, {
    contentType: metrics.contentType,
    metrics: () => metrics.render(),
    status,
  }).catch(explain(config.metricsPort, "the metrics", "--metrics-port"));

  const control =
    config.control === "off"
      ? null
      : await (await import("./control.ts")).openControl(config.control, {
          state: () => loop.state,
          now: () => world.now(),
          order: (order) => loop.feed({ type: "ordered", order }),
          status,
          warn: (message) => logger.warn({}, message),
        });

  if (config.title !== null) process.title = `${config.title}: master`;
  prepareLastResort({
    pidFile: config.pidFile,
    control,
    children,
    log,
    world,
    fail() {
      if (loop.state.stop?.reason === "internal") return false;
      loop.feed({ type: "failed", reason: "internal" });
      return true;
    },
  });
  for (const line of firstScreen({ plan, version, configFile, probesPort: probes.port, metricsPort: endpoint.port })) write(line);
  if (warning !== null) logger.warn({}, warning);
  takeSignals((signal) => loop.feed({ type: "signalled", signal }));
  loop.feed({ type: "clock" });

  function perform(effect: Effect): void {
    switch (effect.type) {
      case "fork":
        return children.fork(
          effect.life,
          { role: effect.role, slot: effect.slot, generation: effect.generation },
          sockets.of(effect.queues),
        );
      case "open-queue":
        return openQueue(effect.queue);
      case "adopt":
        for (const { handle, ...queue } of sockets.of([effect.queue])) children.tell(effect.life, { type: "adopt", ...queue }, handle);
        return;
      case "release":
        for (const { handle, ...queue } of sockets.of([effect.queue])) children.tell(effect.life, { type: "release", ...queue });
        return;
      case "close-queues":
        return sockets.close();
      case "drain":
        return children.tell(effect.life, { type: "drain", budgetMs: effect.budgetMs, idleMs: effect.idleMs });
      case "kill":
        return children.kill(effect.life);
      case "log":
        control?.heard(effect.level, effect.message, effect.fields);
        return logger[effect.level](effect.fields, effect.message);
      case "tally":
        return metrics.tally(effect.tally);
      case "print-status":
        return logger.info({ status: status() }, "status");
      case "announce-ready": {
        const readyMs = Math.round(world.now() - startedAt);
        const where = addresses.size === 0 ? "" : `: ${[...addresses].join(", ")}`;
        return logger.info({ readyMs, addresses: [...addresses] }, `ready in ${readyMs} ms${where}`);
      }
      case "exit":
        endpoint.close();
        probes.close();
        control?.end(effect.code);
        void log.end().then(() => world.exit(effect.code));
        return;
      default:
        effect satisfies never;
    }
  }

  /** A worker has bound a port that was not declared: its neighbours accept from that queue from now on, and successors inherit it. */
  function onHandle(life: number, message: Lodging, handle: TcpHandle): void {
    if (message.type === "locked") return sockets.keep(handle);
    const { queue, port, host } = message;
    if (!sockets.lodge({ queue, port, host, handle })) return handle.close();
    for (const slot of loop.state.workers) {
      for (const other of slot.lives) {
        if (other.id !== life && other.queues.includes(queue)) children.tell(other.id, { type: "adopt", queue, port, host }, handle);
      }
    }
  }

  /** The app has closed its server on the port and opened it again: its queues once more. */
  function onReopened(life: number, port: number): void {
    const queues = findLife(loop.state, life)?.life.queues ?? [];
    for (const { handle, ...queue } of sockets.of(queues)) {
      if (queue.port === port) children.tell(life, { type: "adopt", ...queue }, handle);
    }
  }

  function openQueue(queue: number): void {
    try {
      sockets.open(queue);
    } catch (error) {
      const { code, port } = error as { code: string; port: number };
      const failure = code === "EADDRINUSE" ? portConflict(port, "the app", "--port", error) : (error as Error);
      logger.error({ err: error }, `${failure.name}: ${failure.message}`);
      // While it runs, a queue less is a worker that accepts from its neighbours' queues alone.
      if (loop.state.phase !== "running") loop.feed({ type: "failed", reason: code === "EADDRINUSE" ? "port-conflict" : "usage" });
    }
  }

  function settled(state: State): void {
    const now = world.now();
    control?.settled(state);
    probes.show({ live: isLive(state), ready: isReady(state, now) }).catch((error: Error) => {
      logger.error({ err: error }, `Cannot show the state on the probes port: ${error.message}`);
    });
  }

  /** A port that a worker finds taken at the start is told as one that the master finds so: with its holder. */
  function nameHolder(event: Event): Event {
    if (event.type !== "faulted" || event.fault.code !== "EADDRINUSE" || event.fault.port === null) return event;
    if (loop.state.phase === "running") return event;
    const { name, message } = portConflict(event.fault.port, "the app", "PORT or --port");
    return { ...event, fault: { ...event.fault, name, message } };
  }

  function status(): object {
    const service = { version, node: process.version, pid: process.pid, uptimeSeconds: Math.round(world.now() - startedAt) / 1_000 };
    const { app, title } = config;
    return { ...service, app, title, addresses: [...addresses], ...takeSnapshot(loop.state, world.now()) };
  }

  function remark(said: Remark): void {
    if (said.type === "listening" && said.expected) addresses.add(describeAddress(said.address, said.port));
    if (said.type === "cut") metrics.addCut(said.connections);
    write(describeRemark(said, config.ports));
  }

  function write({ level, fields, message }: Line): void {
    logger[level](fields, message);
  }
}

/** A port that was free a moment ago may be taken now. */
function explain(port: number, what: string, option: string): (error: NodeJS.ErrnoException) => never {
  return (error) => {
    if (error.code === "EADDRINUSE") throw portConflict(port, what, option, error);
    throw new ClusterError("ERR_INTERNAL", `Cannot open port ${port} for ${what}: ${error.message}`, { reason: "internal", cause: error });
  };
}
