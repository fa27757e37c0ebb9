// How workers are scheduled: where there are more of them than CPUs, one that wakes up would push another off its CPU, and each such switch costs both
// more than the wait. Runs in the master.
// Its one rule: nothing here ever affects the service; what cannot be done is said once.
import type { Config } from "../config/config.ts";
import type { Line } from "../log.ts";
import type { Ready } from "../policy/life.ts";
import { readyLife } from "../policy/select.ts";
import type { State } from "../policy/state.ts";
import { isScheduledAsUsual, type SchedulingPolicy, schedulableCpus, setScheduling } from "../system/cpu-scheduling.ts";

interface Parts {
  readonly setting: Config["cpuScheduling"];
  readonly write: (line: Line) => void;
  state(): State;
}

export class CpuScheduling {
  readonly #parts: Parts;
  readonly #cpus: number | null = schedulableCpus();
  /** What was set, by life; one that is not here is as it was started. Null: it is somebody's own wish, the app's or of whoever started the master. */
  readonly #set: Map<number, SchedulingPolicy | null> = new Map();
  #isSetting = false;
  #hasFailed = false;
  #said: SchedulingPolicy = "other";

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Not while the service starts, when every worker needs the CPUs. */
  settled(state: State): void {
    if (this.#parts.setting === "inherit" || process.platform !== "linux" || this.#isSetting) return;
    if (state.phase === "running" && state.stop === null && this.#nextUnset(state) !== null) void this.#setAll();
  }

  /** One after the other: many workers may become ready in one moment. */
  async #setAll(): Promise<void> {
    this.#isSetting = true;
    for (let life = this.#nextUnset(this.#parts.state()); life !== null; life = this.#nextUnset(this.#parts.state())) {
      await this.#setOne(life, this.#wanted(this.#parts.state()));
    }
    this.#isSetting = false;
  }

  async #setOne({ id, pid }: Ready, wanted: SchedulingPolicy): Promise<void> {
    const isOurs = pid !== null && (this.#set.has(id) || isScheduledAsUsual(pid));
    this.#set.set(id, isOurs ? wanted : null);
    if (!isOurs) return;
    const failure = await setScheduling(pid, wanted);
    if (failure === null) this.#say(wanted);
    else this.#complain(failure);
  }

  #wanted({ workersTarget }: State): SchedulingPolicy {
    if (this.#parts.setting === "batch") return "batch";
    return this.#cpus !== null && workersTarget > this.#cpus ? "batch" : "other";
  }

  #nextUnset(state: State): Ready | null {
    const wanted = this.#wanted(state);
    const ready = state.workers.map(readyLife).filter((life) => life !== null);
    for (const id of this.#set.keys()) if (!ready.some((life) => life.id === id)) this.#set.delete(id);
    const isDue = (policy: SchedulingPolicy | null | undefined): boolean => policy !== null && (policy ?? "other") !== wanted;
    return ready.find(({ id }) => isDue(this.#set.get(id))) ?? null;
  }

  #say(policy: SchedulingPolicy): void {
    if (policy === this.#said) return;
    this.#said = policy;
    const why = this.#parts.setting === "batch" ? "as set" : `${this.#parts.state().workersTarget} of them for ${this.#cpus} CPUs`;
    this.#parts.write({ level: "info", fields: { cpuScheduling: policy }, message: `workers are scheduled as ${policy} (${why})` });
  }

  #complain(why: string): void {
    if (this.#hasFailed) return;
    this.#hasFailed = true;
    const level = this.#parts.setting === "batch" ? "warn" : "debug";
    this.#parts.write({
      level,
      fields: {},
      message: `Cannot set how workers are scheduled: ${why}; they are as they were started (cpu-scheduling)`,
    });
  }
}
