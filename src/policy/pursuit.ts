// An order and what it takes for it to be done: accepted or refused when it comes, done or failed as the state goes on. Pure.

import type { Order } from "./events.ts";
import type { Life, Slot } from "./life.ts";
import { allSlots, isHolding, readyLife } from "./select.ts";
import { scaleProblem } from "./sizing.ts";
import type { State } from "./state.ts";

/** An order being watched, with what was the case when it came. */
export type Pursuit =
  /** The generation that every slot is to run; `queued` behind a running reload. */
  | { readonly kind: "reload"; readonly generation: number; readonly queued: boolean }
  /** Lives from `since` on are new. */
  | { readonly kind: "scale"; readonly workers: number; readonly before: number; readonly since: number }
  | { readonly kind: "restart"; readonly role: Slot["role"]; readonly slot: number; readonly since: number }
  /** Done by being ordered. */
  | { readonly kind: "maintain"; readonly on: boolean }
  /** Done when the master ends, which no state shows. */
  | { readonly kind: "stop" };

export type Verdict =
  | { readonly type: "pending" }
  | { readonly type: "done" }
  /** Why, as a clause. */
  | { readonly type: "failed"; readonly why: string };

const PENDING: Verdict = { type: "pending" };
const DONE: Verdict = { type: "done" };

/** Why an order makes no sense now, or null. The policy would ignore it without a word to whoever gave it. */
export function refusal(order: Order, state: State): string | null {
  if (order.kind === "stop") return null;
  if (state.stop !== null) return "the service is stopping";
  if (order.kind === "maintain") return null;
  if (order.kind === "scale") return scaleProblem(order.workers, state.settings.mostWorkers);
  if (order.kind === "reload") return order.agent && state.agent === null ? "the service has no agent" : null;
  if (state.phase !== "running") return "the service is still starting";
  if (order.role === "agent") return state.agent === null ? "the service has no agent" : null;
  if (order.slot < state.workersTarget) return null;
  return `there is no worker ${order.slot}; expected one from 0 to ${state.workersTarget - 1}`;
}

/** @param before the state that the order came to; nothing of what it caused has happened in it */
export function pursue(order: Order, before: State): Pursuit {
  switch (order.kind) {
    case "reload":
      return { kind: "reload", generation: before.generation + 1, queued: before.rollout !== null || before.phase !== "running" };
    case "scale":
      return { kind: "scale", workers: order.workers, before: before.workersTarget, since: before.nextLife };
    case "restart":
      return { kind: "restart", role: order.role, slot: order.slot, since: firstNewLife(order, before) };
    case "maintain":
      return { kind: "maintain", on: order.on };
    case "stop":
      return { kind: "stop" };
    default:
      return order satisfies never;
  }
}

/** A successor that is already starting is the new process that was asked for. */
function firstNewLife(order: Extract<Order, { kind: "restart" }>, { agent, workers, nextLife }: State): number {
  const slot = order.role === "agent" ? agent : workers.find((each) => each.index === order.slot);
  const holder = slot?.lives.findLast(isHolding);
  return holder?.state === "starting" ? holder.id : nextLife;
}

/**
 * How far an order is.
 * @param previous the state that was last judged: what is gone from it has ended in between
 */
export function judge(pursuit: Pursuit, previous: State, state: State): Verdict {
  if (pursuit.kind === "stop") return PENDING;
  if (pursuit.kind === "maintain") return DONE;
  const verdict = judgeWork(pursuit, previous, state);
  return verdict.type === "pending" && state.stop !== null ? { type: "failed", why: "the service is stopping" } : verdict;
}

/** The lives of an order whose end explains its failure: its new generation, or what was started since. */
export function concerns(pursuit: Pursuit, generation: number): boolean {
  return pursuit.kind === "reload" ? generation >= pursuit.generation : true;
}

function judgeWork(pursuit: Exclude<Pursuit, { kind: "stop" | "maintain" }>, previous: State, state: State): Verdict {
  switch (pursuit.kind) {
    case "reload":
      return judgeReload(pursuit.generation, state);
    case "scale":
      return judgeScale(pursuit, previous, state);
    case "restart": {
      const slot = pursuit.role === "agent" ? state.agent : (state.workers.find((each) => each.index === pursuit.slot) ?? null);
      if (slot === null) return { type: "failed", why: `worker ${pursuit.slot} was scaled away` };
      const isNew = slot.lives.every((life) => life.id >= pursuit.since);
      if (isNew && readyLife(slot) !== null) return DONE;
      return failedToBoot(slot, previous, state, pursuit.since)
        ? { type: "failed", why: "the new process failed; the service goes on trying" }
        : PENDING;
    }
    default:
      return pursuit satisfies never;
  }
}

/** Every slot runs it when the rollout says so; the order is done when those that it replaced have gone as well. */
function judgeReload(generation: number, { lastRollout, agent, workers }: State): Verdict {
  if (lastRollout === null || lastRollout.generation < generation) return PENDING;
  if (lastRollout.generation === generation && lastRollout.result === "failure")
    return { type: "failed", why: lastRollout.why ?? "the new generation failed" };
  const slots = agent === null ? workers : [agent, ...workers];
  const isOldLeft = slots.some((slot) => slot.lives.some((life) => life.generation < generation && !isHolding(life)));
  return isOldLeft ? PENDING : DONE;
}

function judgeScale(pursuit: Extract<Pursuit, { kind: "scale" }>, previous: State, state: State): Verdict {
  const { workers: target, before, since } = pursuit;
  if (state.workersTarget !== target) return { type: "failed", why: `the number of workers was changed again, to ${state.workersTarget}` };
  const failed = state.workers.find((slot) => slot.index >= before && failedToBoot(slot, previous, state, since));
  if (failed !== undefined) return { type: "failed", why: `worker ${failed.index} failed to start; the service goes on trying` };
  const isThere = state.workers.length === target && state.workers.every((slot) => slot.index < target && readyLife(slot) !== null);
  return isThere ? DONE : PENDING;
}

/** Whether a new life of the slot has ended, is being killed, or was taken back, before it was ready. */
function failedToBoot(slot: Slot, previous: State, state: State, since: number): boolean {
  const was = allSlots(previous).find((each) => each.role === slot.role && each.index === slot.index);
  const now = new Map(slot.lives.map((life) => [life.id, life]));
  const hadFailed = (was?.lives ?? []).some((life) => life.id >= since && life.state === "starting" && !now.has(life.id));
  const isFailing = slot.lives.some((life) => life.id >= since && isGivenUp(life));
  return state.stop === null && (hadFailed || isFailing);
}

function isGivenUp(life: Life): boolean {
  if (life.state === "killing") return life.readyAt === null;
  return life.state === "draining" && life.cause === "taken-back" && life.readyAt === null;
}
