// A service under load, and what every deed needs of it: victims, orders, waiting for the desired state.
import { execFileSync } from "node:child_process";
import { closeSync, constants, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import type { Answer, Request } from "../../src/messenger/control.ts";
import { encode } from "../../src/messenger/control.ts";
import { openClient } from "../helpers/control.ts";
import { childrenOf, isAlive, kill } from "../helpers/processes.ts";
import { type Service, startService } from "../helpers/service.ts";
import { isStopped } from "../helpers/victims.ts";
import { acceptedBy, Ledger } from "./ledger.ts";
import { type Load, startLoad } from "./load.ts";
import type { Ground } from "./plan.ts";
import { patiently } from "./strain.ts";
import { startWatch, type Watch } from "./watch.ts";

export const HEARTBEAT_TIMEOUT_MS = 8_000;
export const STOP_TIMEOUT_MS = 10_000;
export const SETTLE_MS = 2_000;
const DRAIN_IDLE_MS = 3_000;
const MIB = 2 ** 20;
const MAX_MEMORY_MIB = 320;
/** So that a heap can be filled, in a moment and at no cost to the machine. */
const HEAP_MIB = 96;

export type Mode = "good" | "throws" | "never" | "crashes";

/** What tells an agent from the one before it: a thread's pid is the master's. */
export interface Agent {
  readonly pid: number;
  readonly thread: number | null;
}

export interface Scene {
  readonly t: TestContext;
  readonly ground: Ground;
  readonly service: Service;
  readonly load: Load;
  readonly ledger: Ledger;
  readonly watch: Watch;
  /** The pids of this service's processes, of the master, and of whatever any of them has started. */
  processes(): readonly string[];
  /** What generations that boot from now on are worth. */
  setMode(mode: Mode): void;
  /** Waits for as many ready workers as the ground has, for the agent, and until nothing else goes on. `meanwhile` is called again and again. */
  untilWhole(meanwhile?: () => void): Promise<void>;
  /** Stops the process, and puts what it has accepted down as lost from now on. */
  condemn(pid: number): Promise<void>;
  /** Puts down what a process that stands still has accepted. */
  noteVictim(pid: number): void;
  /** Gives an order, and the last line that came back. */
  order(request: Request): Promise<Answer | undefined>;
  /** The ready agent; null where there is none. */
  agent(): Promise<Agent | null>;
  /** Lets whoever waits at the fifo go on. */
  openFifo(): void;
  /** A child that has stopped itself. */
  stoppedChild(): number | undefined;
}

export async function setScene(t: TestContext, ground: Ground, seed: number): Promise<Scene> {
  const folder = mkdtempSync(join(tmpdir(), "rollcall-chaos-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const modeFile = join(folder, "mode");
  const setMode = (mode: Mode): void => writeFileSync(modeFile, mode);
  setMode("good");
  const fifo = join(folder, "fifo");
  execFileSync("mkfifo", [fifo]);
  // In the environment of every process of this service, and of no other.
  const mark = `CHAOS_MARK=${process.pid}-${seed}`;
  const [markName = "", markValue = ""] = mark.split("=");
  const service = await startService(t, {
    app: "chaos.mjs",
    ...(ground.agent === null ? {} : { agent: "chaos.mjs" }),
    workers: ground.workers,
    declared: ground.declared,
    flags: [
      ...["--listen", ground.listen, "--drain-idle", `${DRAIN_IDLE_MS}ms`, "--stop-timeout", `${STOP_TIMEOUT_MS}ms`],
      ...["--heartbeat-timeout", `${HEARTBEAT_TIMEOUT_MS}ms`, "--boot-timeout", "12s", "--agent-grace", "5m", "--settle", `${SETTLE_MS}ms`],
      ...(ground.agent === "thread" ? ["--agent-mode", "thread"] : []),
      ...["--backoff-delay", "50ms", "--backoff-limit", "200ms", "--max-restarts", "1000000", "--max-memory", `${MAX_MEMORY_MIB}MiB`],
      `--node-arg=--max-old-space-size=${HEAP_MIB}`,
    ],
    env: {
      ...{ CHAOS_MODE: modeFile, CHAOS_FIFO: fifo, CHAOS_LEAK_BYTES: String(MAX_MEMORY_MIB * MIB) },
      ...{ ROLLCALL_SETTLE: `${SETTLE_MS}ms`, [markName]: markValue },
    },
  });
  const ledger = new Ledger(DRAIN_IDLE_MS);
  const noteVictim = (pid: number): void => ledger.noteVictim(acceptedBy(pid, service.appPort));
  const isWhole = async (): Promise<boolean> => {
    const { workers, workersTarget, workersReady, reloading, agent, ready, live, rollCall } = await service.status();
    const isAlone = [...workers, ...(agent === null ? [] : [agent])].every(
      ({ processes }) => processes.length === 1 && processes[0]?.state === "ready" && processes[0].renewal === null,
    );
    const isComplete = workersTarget === ground.workers && workers.length === workersTarget && workersReady === workersTarget;
    // Three deeds in a row must not become the third strike.
    return isComplete && isAlone && !reloading && ready && live && rollCall.strikes === 0;
  };
  await patiently("the service has started or ended", async () => service.process.exitCode !== null || (await isWhole()));
  if (service.process.exitCode !== null) throw new Error(`it ended with code ${service.process.exitCode}:\n${service.output()}`);
  return {
    t,
    ground,
    service,
    ledger,
    processes: () => marked(mark),
    setMode,
    noteVictim,
    load: startLoad(t, service.appPort),
    watch: startWatch(t, service.probesPort),
    untilWhole: async (meanwhile) =>
      void (await patiently(
        "all are ready and nothing else goes on",
        () => {
          meanwhile?.();
          return isWhole();
        },
        40_000,
      )),
    condemn: async (pid) => {
      kill(pid, "SIGSTOP");
      await patiently(`${pid} has stopped`, () => isStopped(pid) || !isAlive(pid));
      noteVictim(pid);
    },
    order: async (request) => {
      const client = openClient(t, service.control, encode(request));
      let isClosed = false;
      void client.closed.then(() => (isClosed = true));
      await patiently(`${request.command} is answered`, () => isClosed, 30_000);
      return client.answers().at(-1);
    },
    agent: async () => {
      const ready = (await service.status()).agent?.processes.find(({ state }) => state === "ready");
      return ready === undefined ? null : { pid: ready.pid as number, thread: ready.thread };
    },
    // A writer comes and goes. Opened for both, so that nobody need be there.
    openFifo: () => closeSync(openSync(fifo, constants.O_RDWR | constants.O_NONBLOCK)),
    stoppedChild: () => childrenOf(service.pid).find(isStopped),
  };
}

function marked(mark: string): readonly string[] {
  return readdirSync("/proc").filter((pid) => {
    if (!/^\d+$/.test(pid)) return false;
    try {
      return readFileSync(`/proc/${pid}/environ`, "latin1").split("\0").includes(mark);
    } catch {
      return false;
    }
  });
}
