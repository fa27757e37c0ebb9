// The thin loop: facts into one queue, the pure step, its effects into the world, one timer for the next deadline. Decides nothing itself.

import type { Effect } from "../policy/effects.ts";
import type { Event } from "../policy/events.ts";
import { nextDeadline, step } from "../policy/service.ts";
import type { State } from "../policy/state.ts";
import type { World } from "../system/world.ts";

export interface LoopPorts {
  /** Performs one effect; facts that come of it are fed back and wait their turn. */
  perform(effect: Effect): void;
  /** The queue is empty: probes may show the new state. */
  settled(state: State): void;
}

export class Loop {
  readonly #world: World;
  readonly #ports: LoopPorts;
  readonly #queue: Event[] = [];
  #state: State;
  #running = false;
  #cancelTimer: () => void = () => {};

  constructor(world: World, initial: State, ports: LoopPorts) {
    this.#world = world;
    this.#state = initial;
    this.#ports = ports;
  }

  get state(): State {
    return this.#state;
  }

  feed(event: Event): void {
    this.#queue.push(event);
    if (this.#running) return;
    this.#running = true;
    try {
      for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
        const { state, effects } = step(this.#state, next, { now: this.#world.now(), random: this.#world.random() });
        this.#state = state;
        for (const effect of effects) this.#ports.perform(effect);
      }
    } finally {
      this.#running = false;
    }
    this.#ports.settled(this.#state);
    this.#arm();
  }

  #arm(): void {
    this.#cancelTimer();
    const now = this.#world.now();
    // Timers may fire a little early against the clock: one millisecond on top spares an empty turn.
    const delayMs = Math.max(0, nextDeadline(this.#state, now) - now) + 1;
    this.#cancelTimer = this.#world.startTimer(delayMs, () => this.feed({ type: "clock" }));
  }
}
