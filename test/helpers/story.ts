// A tiny simulated world around the pure core: a clock that the test moves, children as data, every effect on record.
// A test reads as a story: boot, kill a worker, let 500 ms pass, expect a fork. The clock event comes at every deadline by itself.

import type { Effect, Tally } from "../../src/policy/effects.ts";
import type { Event, Order, Signal } from "../../src/policy/events.ts";
import type { Fault, Life, Sample, Slot } from "../../src/policy/life.ts";
import { isHolding, readyLife } from "../../src/policy/select.ts";
import { initialState, nextDeadline, step } from "../../src/policy/service.ts";
import type { Settings, State } from "../../src/policy/state.ts";

export const SETTINGS: Settings = {
  bootTimeoutMs: 60_000,
  stopTimeoutMs: 9_000,
  drainDelayMs: 0,
  drainIdleMs: 5_000,
  rollCallPeriodMs: 10_000,
  failureThreshold: 3,
  onException: "exit",
  lingerMs: 5_000,
  heartbeatTimeoutMs: 30_000,
  backoff: { delayMs: 500, factor: 2, limitMs: 30_000, resetMs: 30_000, jitter: 0.1 },
  maxRestarts: 10,
  minReady: 1,
  agentGraceMs: 10_000,
  listening: null,
  limits: { residentBytes: null, heapBytes: null, requests: null, lifetimeMs: null },
  shareBytes: null,
  settleMs: 0,
  surge: 1,
  workerCount: 2,
  mostWorkers: 1_024,
  cpus: 4,
  hasAgent: true,
};

export const SAMPLE: Sample = {
  lagP50Seconds: 0.001,
  lagP99Seconds: 0.002,
  lagMaxSeconds: 0.003,
  utilization: 0.1,
  residentBytes: 50_000_000,
  heapUsedBytes: 10_000_000,
  heapLiveBytes: 0,
  heapLimitBytes: 100_000_000,
  cpuSeconds: 1,
  requestsInFlight: 0,
  requests: 10,
  connections: 1,
};

export const FAULT: Fault = { name: "Error", message: "it broke", stack: "Error: it broke", code: null, port: null };

/** What children do by themselves, in milliseconds after the cause (`killMs`: after SIGKILL); null: the test does it. */
export interface Manners {
  readonly bootMs: number | null;
  readonly drainMs: number | null;
  readonly killMs: number | null;
}

export type Fork = Extract<Effect, { type: "fork" }> & { readonly at: number };

/** More clock events than this at one moment are a busy loop. */
const TURNS_AT_ONCE = 4;
const BY_HAND: Manners = { bootMs: null, drainMs: null, killMs: 0 };

export class Story {
  state: State;
  now = 1_000_000;
  /** The jitter's dice: 0.5 is no jitter. */
  random: () => number = () => 0.5;
  manners: Manners;
  readonly effects: Effect[] = [];
  readonly forks: Fork[] = [];
  /** Sees every step; the random test holds its invariants here. */
  watch: (before: State, event: Event, effects: readonly Effect[]) => void = () => {};
  readonly silent: Set<number> = new Set();
  /** What a life says of itself in its heartbeats, where that is not the usual. */
  says: (life: Life) => Partial<Sample> = () => ({});
  readonly #alive: Set<number> = new Set();
  #due: { readonly at: number; readonly event: Event }[] = [];

  constructor(settings: Partial<Settings> = {}, manners: Partial<Manners> = {}) {
    this.manners = { ...BY_HAND, ...manners };
    this.state = initialState({ ...SETTINGS, ...settings }, this.now);
  }

  /** Starts the service; children become ready after their boot time, or by hand. */
  start(): this {
    this.feed({ type: "clock" });
    return this;
  }

  /** Starts the service and makes every child of the first generation ready. */
  boot(): this {
    this.start();
    this.ready();
    if (this.state.phase !== "running") this.ready();
    return this;
  }

  /** One fact, and what comes of it at once. */
  feed(event: Event): readonly Effect[] {
    const before = this.state;
    const { state, effects } = step(this.state, event, { now: this.now, random: this.random() });
    this.state = state;
    this.effects.push(...effects);
    this.watch(before, event, effects);
    for (const effect of effects) this.#perform(effect);
    if (event.type === "faulted") this.#schedule("draining", event.life);
    return effects;
  }

  /** Lets time pass: children do what is due, ready ones beat, the clock ticks at every deadline. */
  pass(ms: number): this {
    const until = this.now + ms;
    let turns = 0;
    for (;;) {
      const next = Math.max(this.now, Math.min(this.#nextDue(), this.#wakesAt()));
      if (next > until || this.exitCode !== null) break;
      turns = next > this.now ? 0 : turns + 1;
      if (turns > TURNS_AT_ONCE && this.#nextDue() > this.now) throw new Error(`the clock does not rest: ${turns} turns at one moment`);
      this.now = next;
      this.#deliver();
      this.#beat();
      this.feed({ type: "clock" });
    }
    this.now = until;
    return this;
  }

  /** Stands still, as a suspended machine does, and goes on with one clock event. */
  suspend(ms: number): this {
    this.now += ms;
    this.feed({ type: "clock" });
    return this;
  }

  order(order: Order): this {
    this.feed({ type: "ordered", order });
    return this;
  }

  signal(signal: Signal): this {
    this.feed({ type: "signalled", signal });
    return this;
  }

  /** Makes the named lives ready, or all that are starting. */
  ready(...lives: readonly number[]): this {
    const starting = this.lives().filter((life) => life.state === "starting");
    for (const life of lives.length > 0 ? lives : starting.map(({ id }) => id)) this.feed({ type: "readied", life });
    return this;
  }

  /** One heartbeat. */
  beat(id: number, said: Partial<Sample> = {}): this {
    const life = this.lives().find((each) => each.id === id);
    this.feed({ type: "beat", life: id, sample: { ...SAMPLE, ...(life === undefined ? {} : this.says(life)), ...said } });
    return this;
  }

  /** Ends a process: by an exit code, or by a signal's name; null is one that never came to be. */
  exit(life: number, how: number | string | null = 1, oom = false): readonly Effect[] {
    this.#alive.delete(life);
    const [code, signal] = typeof how === "number" ? [how, null] : [null, how];
    return this.feed({ type: "exited", life, code, signal, oom });
  }

  /** Ends all draining processes as asked, with code 0. */
  finishDrains(): this {
    for (const life of this.lives()) if (life.state === "draining") this.exit(life.id, 0);
    return this;
  }

  fault(life: number, fault: Partial<Fault> = {}): readonly Effect[] {
    return this.feed({ type: "faulted", life, fault: { ...FAULT, ...fault } });
  }

  /** From now on children behave: what was due by hand is due after the new manners' time. */
  behave(manners: Manners): this {
    this.manners = manners;
    this.silent.clear();
    for (const life of this.lives()) this.#schedule(life.state, life.id);
    return this;
  }

  get agent(): number {
    return holder(this.state.agent);
  }

  worker(index: number): number {
    return holder(this.state.workers.find((slot) => slot.index === index));
  }

  slot(index: number): Slot {
    const slot = this.state.workers.find((each) => each.index === index);
    if (slot === undefined) throw new Error(`there is no slot ${index}: ${this.picture}`);
    return slot;
  }

  lives(): readonly Life[] {
    return [...(this.state.agent?.lives ?? []), ...this.state.workers.flatMap((slot) => slot.lives)];
  }

  /** All children in one line: "agent ready, 0 ready, 1 draining+starting#2"; the first generation is not marked. */
  get picture(): string {
    const say = (life: Life) => (life.generation === 1 ? life.state : `${life.state}#${life.generation}`);
    const of = (slot: Slot) => slot.lives.map(say).join("+") || "empty";
    const { agent, workers } = this.state;
    return [...(agent === null ? [] : [`agent ${of(agent)}`]), ...workers.map((slot) => `${slot.index} ${of(slot)}`)].join(", ");
  }

  get exitCode(): number | null {
    return this.all("exit")[0]?.code ?? null;
  }

  all<Type extends Effect["type"]>(type: Type): readonly Extract<Effect, { type: Type }>[] {
    return this.effects.filter((effect): effect is Extract<Effect, { type: Type }> => effect.type === type);
  }

  tallies<Metric extends Tally["metric"]>(metric: Metric): readonly Extract<Tally, { metric: Metric }>[] {
    return this.all("tally")
      .map((effect) => effect.tally)
      .filter((entry): entry is Extract<Tally, { metric: Metric }> => entry.metric === metric);
  }

  logged(pattern: RegExp): boolean {
    return this.all("log").some((effect) => pattern.test(effect.message));
  }

  #perform(effect: Effect): void {
    if (effect.type === "fork") {
      this.forks.push({ ...effect, at: this.now });
      this.#alive.add(effect.life);
      this.feed({ type: "forked", life: effect.life, pid: 10_000 + effect.life, thread: null });
      this.#schedule("starting", effect.life);
    } else if (effect.type === "drain") this.#schedule("draining", effect.life);
    else if (effect.type === "kill") this.#schedule("killing", effect.life);
  }

  #schedule(state: Life["state"], life: number): void {
    const { bootMs, drainMs, killMs } = this.manners;
    const later = (ms: number, event: Event) => this.#due.push({ at: this.now + ms, event });
    const exited = { type: "exited", life, code: 0, signal: null, oom: false } as const;
    if (state === "starting" && bootMs !== null) later(bootMs, { type: "readied", life });
    if (state === "draining" && drainMs !== null) later(drainMs, exited);
    if (state === "killing" && killMs !== null) later(killMs, { ...exited, code: null, signal: "SIGKILL" });
  }

  /** The clock was set after the last step, as the master's is. */
  #wakesAt(): number {
    return nextDeadline(this.state, this.state.steppedAt);
  }

  #nextDue(): number {
    return Math.min(Number.POSITIVE_INFINITY, ...this.#due.map(({ at }) => at));
  }

  #deliver(): void {
    const due = this.#due.filter(({ at }) => at <= this.now);
    this.#due = this.#due.filter(({ at }) => at > this.now);
    for (const { event } of due) {
      // A process ends once, however often it was told to.
      if (event.type === "exited" && !this.#alive.delete(event.life)) continue;
      this.feed(event);
    }
  }

  #beat(): void {
    for (const life of this.lives()) {
      if (life.state === "ready" && !this.silent.has(life.id)) this.beat(life.id);
    }
  }
}

function holder(slot: Slot | null | undefined): number {
  const life = slot == null ? undefined : (readyLife(slot) ?? slot.lives.find(isHolding));
  if (life === undefined) throw new Error("nobody holds this slot");
  return life.id;
}
