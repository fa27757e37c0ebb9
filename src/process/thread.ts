// A child in a thread of the master's (agent-mode thread): no process of its own, and no wall of one either. A channel and a post of ports take
// the place of its descriptors. Its one rule: whatever the thread does in JavaScript ends the thread alone. Runs in the master.
import { MessageChannel, type ResourceLimits, Worker } from "node:worker_threads";
import { childrenNodeOptions } from "../config/environment.ts";
import { isKinNews, PortStream, type ThreadPorts } from "../messenger/port-stream.ts";
import { isSealed, seal } from "../messenger/wire.ts";
import { openOutlet } from "../outlet.ts";
import type { Fault } from "../policy/life.ts";
import { ThreadKin } from "../system/strangers.ts";
import { MAX_MESSAGE_BYTES } from "./child-channel.ts";
import type { Birth } from "./child-process.ts";
import { LAST_WORDS_MS } from "./last-words.ts";
import { type Launch, launchOf } from "./launch.ts";
import type { Vessel, VesselListener } from "./vessel.ts";

/** V8's young generation is three times its semi-space. */
const YOUNG_PER_SEMI_SPACE = 3;
/** A thread that runs JavaScript, or waits for something asynchronous, is gone in milliseconds. */
const GIVE_UP_MS = 2_000;
/** The order to end waits in the port of one that comes to its first statement. Ended from here before that, while it links a module, it takes Node 22 along. */
const UNBORN_MS = 2_000;
const STUCK = "its thread is in a call that does not return, and cannot be ended there: it goes when the master does";
/** What limits a heap: a thread has it another way. */
const HEAP_FLAG = /^--max[-_](?:old|semi)[-_]space[-_]size=/;
/** What Node says of an environment that is not its own. */
const REFUSED_ENVIRONMENT = /NODE_OPTIONS env variable: (.*)/s;

/** The flags that were left out, once told. */
const told = new Set<string>();

/** @throws what Node says when no thread can be made at once; a later failure arrives as a fault and an exit */
export function startThread({ plan, place, mark }: Birth, listener: VesselListener): Vessel {
  const { config, heapFlags } = plan;
  // A thread cannot have a working folder of its own; the master keeps no path that starts from its.
  if (process.cwd() !== config.cwd) process.chdir(config.cwd);
  const channel = new MessageChannel();
  const post = new MessageChannel();
  const ports: ThreadPorts = { channel: channel.port2, post: post.port2 };
  const flags = [...heapFlags, ...childrenNodeOptions(process.env, config.env), ...config.nodeArgs];
  const worker = openWorker(launchOf(plan, place, [], mark), ports, limitsOf(flags), listener);
  const thread = worker.threadId;
  const kin = new ThreadKin();
  let isConnected = true;
  let hasFault = false;
  let isKilled = false;
  let hasSpoken = false;

  channel.port1.on("message", (text: unknown) => {
    hasSpoken = true;
    const message = read(text);
    if (isKinNews(message)) return kin.note(message);
    if (isSealed(message) && message.type === "fault" && message.survived !== true) hasFault = true;
    listener.onMessage(message, undefined);
  });
  const closed = new Promise<void>((resolve) => channel.port1.once("close", resolve));
  let hasEnded = false;
  void closed.then(() => {
    isConnected = false;
    setTimeout(() => !hasEnded && listener.onLost(), LAST_WORDS_MS).unref();
  });
  for (const [stream, fd] of [
    [worker.stdout, 1],
    [worker.stderr, 2],
  ] as const) {
    const outlet = openOutlet(fd);
    stream.on("data", (bytes: Buffer) => outlet.write(bytes));
  }
  worker.on("error", (error) => {
    // What the thread could not say itself: that it never started, or that its heap is full.
    if (!hasFault) listener.onMessage(seal({ type: "fault", fault: faultOf(error), survived: false }), undefined);
  });
  worker.once("exit", (code) => {
    hasEnded = true;
    kin.end();
    listener.onEnd();
    // What it has said waits in the port, before the port's end. One that was ended from here counts as a process that was killed.
    void closed.then(() => (isKilled ? listener.onExit(null, "SIGKILL") : listener.onExit(code, null)));
  });

  return {
    ...{ pid: process.pid, thread, takesHandles: false },
    post: (onBytes) => new PortStream(post.port1).on("data", onBytes),
    get isConnected() {
      return isConnected;
    },
    takes: () => isConnected,
    hasHandleInFlight: () => false,
    send(message, _handle, done) {
      channel.port1.postMessage(JSON.stringify(message));
      done();
    },
    disconnect: () => channel.port1.close(),
    endUnborn: () => void setTimeout(() => !hasSpoken && void worker.terminate(), UNBORN_MS).unref(),
    kill() {
      isKilled = true;
      void worker.terminate();
      const late = setTimeout(() => listener.onComplaint(STUCK), GIVE_UP_MS).unref();
      worker.once("exit", () => clearTimeout(late));
    },
  };
}

/** Flags that Node takes for a whole process alone are left out: it names them when it refuses. In NODE_OPTIONS it names but the first: that is an error. */
function openWorker(launch: Launch, ports: ThreadPorts, resourceLimits: ResourceLimits, listener: VesselListener): Worker {
  const execArgv = launch.execArgv.filter((flag) => !HEAP_FLAG.test(flag));
  const options = {
    ...{ argv: launch.args, env: launch.env, resourceLimits, name: "agent", stdout: true, stderr: true },
    workerData: ports,
    transferList: [ports.channel, ports.post],
  };
  try {
    return new Worker(launch.entry, { ...options, execArgv });
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const inEnvironment = REFUSED_ENVIRONMENT.exec(message)?.[1];
    if (inEnvironment !== undefined)
      throw new Error(
        `a thread cannot have the NODE_OPTIONS that it was given by env (${inEnvironment.trim()}): give the flag by node-arg, which leaves it out for ` +
          "the thread, or let the agent be a process (agent-mode process)",
        { cause: error },
      );
    const refused = code === "ERR_WORKER_INVALID_EXEC_ARGV" ? execArgv.filter((flag) => message.includes(flag)) : [];
    if (refused.length === 0) throw error;
    const news = refused.filter((flag) => !told.has(flag));
    for (const flag of news) told.add(flag);
    if (news.length > 0)
      listener.onComplaint(`a thread cannot have ${news.join(", ")}, which Node takes for a whole process alone: left out`);
    return new Worker(launch.entry, { ...options, execArgv: execArgv.filter((flag) => !refused.includes(flag)) });
  }
}

/** The thread's own heap: the flags that limit a process's would be refused. The last one counts, as with Node. */
function limitsOf(flags: readonly string[]): ResourceLimits {
  const last = (name: string): number | null => {
    const pattern = new RegExp(`^--${name.replaceAll("-", "[-_]")}=(\\d+)$`);
    return flags.reduce<number | null>((found, flag) => Number(pattern.exec(flag)?.[1] ?? Number.NaN) || found, null);
  };
  const old = last("max-old-space-size");
  const semiSpace = last("max-semi-space-size");
  return {
    ...(old === null ? {} : { maxOldGenerationSizeMb: old }),
    ...(semiSpace === null ? {} : { maxYoungGenerationSizeMb: semiSpace * YOUNG_PER_SEMI_SPACE }),
  };
}

/** Text, as on a process's channel: what is no JSON, or longer than a message may be, is none of the runtime's. */
function read(text: unknown): unknown {
  if (typeof text !== "string" || text.length > MAX_MESSAGE_BYTES) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function faultOf(error: unknown): Fault {
  const { name, message, stack, code } = (error instanceof Error ? error : new Error(String(error))) as NodeJS.ErrnoException;
  return { name, message, stack: stack ?? "", code: code ?? null, port: null };
}
