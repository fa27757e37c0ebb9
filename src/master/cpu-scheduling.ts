// How workers are scheduled: where there are more of them than CPUs, one that wakes up would push another off its CPU, and each such switch costs both
// more than the wait. Runs in the master.
// Its one rule: nothing here ever affects the service; what cannot be done is said once, and tried again.
import type { Config } from "../config/config.ts";
import type { Line } from "../log.ts";
import type { Ready } from "../policy/life.ts";
import { readyLife } from "../policy/select.ts";
import type { State } from "../policy/state.ts";
import { type SchedulingPolicy, schedulableCpus, schedulingOf, setScheduling } from "../system/cpu-scheduling.ts";
import type { World } from "../system/world.ts";
import { oneAtATime } from "./one-at-a-time.ts";

/** After a failure, and twice as long after each further one. */
const RETRY_MS = 10_000;
const MOST_RETRY_MS = 600_000;

interface Parts {
  readonly setting: Config["cpuScheduling"];
  readonly world: Pick<World, "startTimer">;
  readonly write: (line: Line) => void;
  state(): State;
}

/** Left: it is as it should be, or as somebody else wants it, or has ended. */
type Outcome = "set" | "left" | { readonly problem: string };

/** What is wanted, and why, in words. */
interface Wish {
  readonly policy: SchedulingPolicy;
  readonly why: string;
}

export class CpuScheduling {
  readonly #parts: Parts;
  /** By life: what it was last made, or left, for. */
  readonly #done: Map<number, SchedulingPolicy> = new Map();
  /** Those that are scheduled as batch because of this. */
  readonly #ours: Set<number> = new Set();
  readonly #stopped: AbortController = new AbortController();
  readonly #lookOnce: () => Promise<void> = oneAtATime(() => this.#setAll());
  /** For how many workers it was looked at last; null: not while the service starts, when every worker needs the CPUs. */
  #workersTarget: number | null = null;
  #cancelRetry: () => void = () => {};
  #retryMs = RETRY_MS;
  #hasComplained = false;
  #said: SchedulingPolicy = "other";

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  settled({ phase, stop, workersTarget }: State): void {
    if (stop !== null) return this.#stop();
    if (phase !== "running" || workersTarget === this.#workersTarget) return;
    this.#workersTarget = workersTarget;
    this.look();
  }

  /** To be called when a worker is ready. */
  look(): void {
    if (this.#workersTarget === null || this.#stopped.signal.aborted) return;
    if (this.#parts.setting !== "inherit" && process.platform === "linux") void this.#lookOnce();
  }

  #stop(): void {
    this.#cancelRetry();
    this.#stopped.abort();
  }

  /** One after the other: many workers may become ready in one moment. */
  async #setAll(): Promise<void> {
    this.#cancelRetry();
    const wish = this.#wish();
    const ready = this.#parts.state().workers.flatMap((slot) => readyLife(slot) ?? []);
    this.#forgetAllBut(new Set(ready.map(({ id }) => id)));
    const problems: string[] = [];
    let changed = 0;
    for (const life of ready) {
      if (this.#stopped.signal.aborted) break;
      const result = this.#done.get(life.id) === wish.policy ? "left" : await this.#setOne(life, wish.policy);
      if (result === "set") changed++;
      else if (result !== "left") problems.push(result.problem);
    }
    if (this.#stopped.signal.aborted) return;
    if (problems[0] !== undefined) return this.#complain(problems[0]);
    this.#hasComplained = false;
    this.#retryMs = RETRY_MS;
    if (changed > 0) this.#say(wish);
  }

  async #setOne({ id, pid }: Ready, wanted: SchedulingPolicy): Promise<Outcome> {
    const now = pid === null ? undefined : schedulingOf(pid);
    if (pid === null || now === undefined) return "left";
    if (now === null) return wanted === "batch" ? { problem: "/proc does not show how they are" } : "left";
    if (now !== (this.#ours.has(id) ? "batch" : "other")) return this.#leaveOwn(id, now, wanted, pid);
    const problem = now === wanted ? null : await setScheduling(pid, wanted, this.#stopped.signal);
    if (problem !== null) return { problem };
    this.#done.set(id, wanted);
    if (wanted === "batch") this.#ours.add(id);
    else this.#ours.delete(id);
    return now === wanted ? "left" : "set";
  }

  /** Somebody's own wish stays, the app's or of whoever started the master; an operator who has asked for another one should know. */
  #leaveOwn(id: number, now: SchedulingPolicy | "another", wanted: SchedulingPolicy, pid: number): Outcome {
    this.#done.set(id, wanted);
    return now === wanted || this.#parts.setting !== "batch" ? "left" : { problem: `process ${pid} has another policy already` };
  }

  /** Asked anew each time: CPUs can be taken from a running container. */
  #wish(): Wish {
    if (this.#parts.setting === "batch") return { policy: "batch", why: "as set" };
    const { workersTarget } = this.#parts.state();
    const cpus = schedulableCpus();
    const why = `${workersTarget} of them for ${cpus} ${cpus === 1 ? "CPU" : "CPUs"}`;
    return { policy: cpus !== null && workersTarget > cpus ? "batch" : "other", why };
  }

  #forgetAllBut(ids: ReadonlySet<number>): void {
    for (const id of this.#done.keys()) if (!ids.has(id)) this.#done.delete(id);
    for (const id of this.#ours) if (!ids.has(id)) this.#ours.delete(id);
  }

  #say({ policy, why }: Wish): void {
    if (policy === this.#said) return;
    this.#said = policy;
    this.#parts.write({ level: "info", fields: { cpuScheduling: policy }, message: `workers are scheduled as ${policy} (${why})` });
  }

  #complain(why: string): void {
    this.#cancelRetry = this.#parts.world.startTimer(this.#retryMs, () => this.look());
    this.#retryMs = Math.min(MOST_RETRY_MS, 2 * this.#retryMs);
    if (this.#hasComplained) return;
    this.#hasComplained = true;
    const level = this.#parts.setting === "batch" ? "warn" : "debug";
    this.#parts.write({ level, fields: {}, message: `Cannot set how every worker is scheduled: ${why} (cpu-scheduling; said once)` });
  }
}
