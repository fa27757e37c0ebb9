// The composition root: opens the ports of the master, runs the loop, performs its effects, and ends the process. No policy lives here.
import type { Config } from "../config/config.ts";
import type { Line, MasterLog } from "../log.ts";
import { readVersion } from "../package/version.ts";
import type { Effect } from "../policy/effects.ts";
import type { Event, Order } from "../policy/events.ts";
import { findLife, hasStarted, isStarting } from "../policy/select.ts";
import { initialState } from "../policy/service.ts";
import { takeSnapshot } from "../policy/snapshot.ts";
import type { State } from "../policy/state.ts";
import { Children } from "../process/children.ts";
import type { Remark } from "../process/hearing.ts";
import { HeldSockets } from "../sockets/held.ts";
import { repairRoundRobin } from "../sockets/repair.ts";
import { countWaiting } from "../system/accept-queues.ts";
import { findInherited } from "../system/inherited.ts";
import { claimPidFile } from "../system/pid-file.ts";
import { takeManager } from "../system/service-manager.ts";
import { takeSignals } from "../system/signals.ts";
import { startThreadPool } from "../system/thread-pool.ts";
import type { World } from "../system/world.ts";
import { Acceptor } from "./acceptor.ts";
import { activate, shareActivated } from "./activation.ts";
import { CpuScheduling } from "./cpu-scheduling.ts";
import { Desk } from "./desk.ts";
import { examineThenKill } from "./examine.ts";
import { describeDesk, firstScreen } from "./first-screen.ts";
import { settlePorts } from "./free-ports.ts";
import { checkHttps } from "./https.ts";
import { prepareLastResort } from "./last-resort.ts";
import { Levelling } from "./levelling.ts";
import { chooseListening, takePorts } from "./listening.ts";
import { Lodgings } from "./lodgings.ts";
import { Loop } from "./loop.ts";
import { remarkOnNodeOptions } from "./node-options.ts";
import { Notifier } from "./notifier.ts";
import { Orphans } from "./orphans.ts";
import { Parent } from "./parent.ts";
import { makePlan } from "./plan.ts";
import { Post } from "./post/post.ts";
import { checkPorts } from "./preflight.ts";
import { Reach } from "./reach.ts";
import { Refusals } from "./refusals.ts";
import { Remarks } from "./remarks.ts";

/** How long the log and the desk wait at most until a first worker is ready and no other one has to be forked. */
const DESK_AFTER_MS = 200;

/** In a stop, what the master has accepted is handed over first; workers keep at least this share of their time to finish what they have. */
const SERVING_SHARE = 0.5;

export interface ServiceInput {
  readonly config: Config;
  readonly configFile: string | null;
  readonly log: MasterLog;
  readonly world: World;
  /** Whether the parent reads what is sealed for it. */
  readonly isOwnParent: boolean;
}

/**
 * Runs the service until the process ends.
 * @throws ClusterError for what keeps it from starting: nothing has been forked then
 */
export async function runService({ config: given, configFile, log, world, isOwnParent }: ServiceInput): Promise<void> {
  const startedAt = world.now();
  const isInherited = findInherited();
  startThreadPool();
  const version = readVersion();
  const manager = takeManager(process.env);
  const { config: activated, sockets: handed, remarks } = activate(given, manager);
  const config = settlePorts(activated);
  await checkHttps(config);
  const removePidFile = config.pidFile === null ? () => {} : claimPidFile(config.pidFile);
  const { listening, unheld, accept, warning } = shareActivated(handed, await chooseListening(config), config.listen);
  if (unheld === "round-robin") repairRoundRobin();
  // Not from node:crypto, which takes longer to load than the rest of the start; the pid alone is 1 in every container.
  const serviceName = `${process.pid}-${process.hrtime.bigint()}-${Math.random().toString(36).slice(2)}`;
  const plan = makePlan(config, process.env, listening);
  const orphans = new Orphans({ config, world, write });
  const sockets = new HeldSockets(listening === null ? [] : config.ports, config.host, listening?.perSlot ?? true);
  for (const lock of takePorts(config, serviceName)) sockets.keep(lock);
  for (const socket of handed) sockets.activate(socket);
  await checkPorts({ ...config, ports: config.ports.filter((port) => !handed.some((socket) => socket.port === port)) });

  const reach = new Reach(config.debugPort);
  const inWords = new Remarks(config);
  let bootSeen = (): void => {};
  const children = new Children(
    {
      config,
      heapFlags: plan.heapFlags,
      service: unheld === "round-robin" ? null : serviceName,
      handsOver: accept !== null,
      unheld,
      isInherited,
    },
    {
      onEvent,
      onRemark: remark,
      onPort: (...said) => (acceptor ?? lodgings).onPort(...said),
      onAnswer: (...said) => handing.onAnswer(...said),
      // Where the master accepts, no worker has any.
      onSpare: (life, word, handle) => (acceptor === null ? levelling.onSpare(life, word, handle) : handle?.close()),
      onMissed: (life) => handing.onMissed(life),
      onCutOff: (life) => handing.onCutOff(life),
      onHanded: (...handed) => post.handed(...handed),
      onJunk: (place) => post.junk(place),
      onPost: (...joined) => post.join(...joined),
    },
  );
  const loop = new Loop(world, initialState(plan.settings, startedAt), { perform, settled });
  const refusals = new Refusals({ sockets, loop, write });
  const order = (given: Order): void => loop.feed({ type: "ordered", order: given });
  const post = new Post({ world, order, write, children, ready: () => reach.facts });
  const lodgings = new Lodgings({ sockets, children, world, write, state: () => loop.state });
  const onConflict = (error: Error): void => refusals.onConflict(error);
  const acceptor =
    accept === null ? null : new Acceptor({ strategy: accept, config, children, world, write, state: () => loop.state, onConflict });
  const levelling = new Levelling({ children, world, state: () => loop.state });
  const handing = acceptor ?? levelling;
  acceptor?.bind();
  const { hasAgent } = plan.settings;
  const desk = new Desk({
    ...{ config, version, hasAgent, status, write, order },
    acceptQueues: () => countWaiting([...config.ports, ...sockets.ports], acceptor?.held ?? new Map()),
    droppedConnections: () => handing.dropped,
    movedConnections: () => levelling.moved,
    orphans: () => orphans,
    messages: () => post.counts,
    state: () => loop.state,
    now: () => world.now(),
  });

  const parent = new Parent({
    ...{ isOwn: isOwnParent, status, write },
    state: () => loop.state,
    now: () => world.now(),
    order,
    onLetter: (raw) => post.fromParent(raw),
    onRead: (weight) => post.parentRead(weight),
  });
  post.connectParent(parent);

  const notifier = new Notifier({ manager, world, write, state: () => loop.state });
  const cpuScheduling = new CpuScheduling({ setting: config.cpuScheduling, world, write, state: () => loop.state });

  if (config.title !== null) process.title = `${config.title}: master`;
  prepareLastResort({
    desk: { removeFiles: () => [desk.removeFiles(), removePidFile()] },
    children,
    log,
    world,
    fail() {
      if (loop.state.stop?.reason === "internal" || loop.state.stop?.stage === "finished") return false;
      loop.feed({ type: "failed", reason: "internal" });
      return true;
    },
  });
  await desk.openEarly();
  for (const line of firstScreen({ plan, version, configFile })) write(line);
  for (const message of [...remarks, warning, remarkOnNodeOptions(process.env)])
    if (message !== null) write({ level: "warn", fields: {}, message });
  takeSignals((signal) => loop.feed({ type: "signalled", signal }));
  const firstBoot = new Promise<void>((resolve) => (bootSeen = resolve));
  const deskOpen = Promise.withResolvers<void>();
  parent.open();
  loop.feed({ type: "clock" });
  // The children have the processors first: what the log and the desk load takes about as long as a child's boot.
  const cancel = world.startTimer(DESK_AFTER_MS, bootSeen);
  await firstBoot;
  cancel();
  log.open();
  await desk.open().then(
    (ports) => ports !== null && write(describeDesk(ports, config.metricsHost)),
    (error) => refusals.onDesk(error),
  );
  deskOpen.resolve();
  orphans.start();
  notifier.start();

  function onEvent(event: Event): void {
    loop.feed(refusals.named(event));
    if (event.type === "readied") sockets.noteBusy(findLife(loop.state, event.life)?.life.queues ?? []);
    if (event.type === "readied") cpuScheduling.look();
    if (event.type === "closed" || event.type === "exited") lodgings.onGone(event.life);
    if (event.type === "disconnected") handing.onDisconnected(event.life);
    if (event.type === "exited") handing.onGone(event.life);
    if (event.type === "exited") post.leave(event.life);
  }

  function settled(state: State): void {
    if (hasStarted(state)) bootSeen();
    handing.settled(state);
    desk.settled(state);
    parent.settled(state);
    post.settled(state);
    notifier.settled(state);
    cpuScheduling.settled(state);
  }

  function perform(effect: Effect): void {
    switch (effect.type) {
      case "fork":
        return children.fork(
          effect.life,
          { role: effect.role, slot: effect.slot, generation: effect.generation },
          sockets.of(effect.queues),
        );
      case "open-queue":
        return refusals.openQueue(effect.queue);
      case "adopt":
        for (const { handle, ...queue } of sockets.of([effect.queue])) children.tell(effect.life, { type: "adopt", ...queue }, handle);
        return;
      case "release":
        for (const { handle, ...queue } of sockets.of([effect.queue])) children.tell(effect.life, { type: "release", ...queue });
        return;
      case "close-queues":
        handing.close();
        return sockets.close();
      case "drain":
        return drain(effect);
      case "kill":
        return effect.examine ? examine(effect.life) : children.kill(effect.life);
      case "log":
        desk.heard(effect);
        parent.heard(effect);
        return write(effect);
      case "tally":
        parent.tally(effect.tally, loop.state);
        return desk.tally(effect.tally);
      case "print-status":
        return write({ level: "info", fields: { status: status() }, message: "status" });
      case "announce-ready": {
        const readyMs = Math.round(world.now() - startedAt);
        // Whoever has started the service may ask for its state, or for its end, as soon as it hears this.
        void deskOpen.promise.then(() => parent.announceReady(reach.facts));
        const { addresses } = reach;
        const where = addresses.length === 0 ? "" : `: ${addresses.join(", ")}`;
        return write({ level: "info", fields: { readyMs, addresses }, message: `ready in ${readyMs} ms${where}` });
      }
      case "exit":
        void end(effect.code);
        return;
      default:
        effect satisfies never;
    }
  }

  function examine(life: number): void {
    const found = findLife(loop.state, life);
    if (found !== null) void examineThenKill({ ...found, write, kill: () => children.kill(life) });
  }

  async function end(code: number): Promise<void> {
    await children.descendantsEnded(Math.max(0, (loop.state.stop?.deadlineAt ?? 0) - world.now()));
    desk.end(code);
    parent.end(code);
    await log.end();
    world.exit(code);
  }

  function drain({ life, ...order }: Extract<Effect, { type: "drain" }>): void {
    const endsAt = world.now() + order.budgetMs;
    const tell = (): void => void children.tell(life, { ...order, budgetMs: Math.max(0, endsAt - world.now()) });
    if (acceptor === null) tell();
    else acceptor.drain(life, order.budgetMs * SERVING_SHARE, tell);
  }

  function status(): object {
    const service = { version, node: process.version, pid: process.pid, uptimeSeconds: Math.round(world.now() - startedAt) / 1_000 };
    const { app, egg, title } = config;
    return {
      ...service,
      app: egg?.folder ?? app,
      title,
      addresses: reach.addresses,
      orphans: orphans.view(),
      ...takeSnapshot(loop.state, world.now()),
    };
  }

  function remark(said: Remark): void {
    reach.note(said);
    // It was for all, and the order waits for its drain-delay.
    if (said.type === "unheeded" && loop.state.stop !== null) return;
    if (said.type === "cut") desk.addCut(said.connections);
    write(inWords.describe(said, isStarting(loop.state, said.place)));
  }

  function write(line: Line): void {
    parent.noteError(line);
    log.write(line);
  }
}
