// The rolling reload: one generation replaces another, the agent first where that was asked for, then slot by slot; a bad generation never
// replaces a good one. How one worker replaces another is in succession.ts. Pure.

import type { Life, Slot } from "./life.ts";
import { drainLife } from "./lives.ts";
import { findLife, hasPredecessor, isHolding, readyLife } from "./select.ts";
import type { Rollout, State } from "./state.ts";
import { isBehind, leave, provenAt, startAtOnce } from "./succession.ts";
import { called, log, naming, type Turn, tally } from "./turn.ts";

/** Starts a reload, or queues one behind the running one: any number of requests meanwhile are one. */
export function beginReload(turn: Turn, withAgent: boolean): void {
  const { state } = turn;
  if (state.stop !== null) return;
  if (state.phase !== "running") {
    if (state.earlyReload === null) log(turn, "info", "reload queued: it begins when the service has started");
    turn.state = { ...state, earlyReload: { agent: withAgent || (state.earlyReload?.agent ?? false) } };
    return;
  }
  if (state.rollout !== null) {
    const { generation, queued } = state.rollout;
    if (queued === null) log(turn, "info", "reload queued behind the running one", { generation });
    turn.state = { ...state, rollout: { ...state.rollout, queued: { agent: withAgent || (queued?.agent ?? false) } } };
    return;
  }
  const generation = state.generation + 1;
  const stage = withAgent && state.agent !== null ? "agent" : "workers";
  turn.state = { ...state, generation, rollout: { generation, stage, queued: null } };
  log(turn, "info", `reload: generation ${generation}`, { generation });
  dropSuccessors(turn, (life) => life.generation < generation);
  replaceAgent(turn);
}

/** What was asked for during the start: the code may have changed since the first children were forked. */
export function beginEarlyReload(turn: Turn): void {
  const { earlyReload, phase } = turn.state;
  if (earlyReload === null || phase !== "running") return;
  turn.state = { ...turn.state, earlyReload: null };
  beginReload(turn, earlyReload.agent);
}

/** Moves the rollout on: from the agent to the workers, and to its end when every slot runs the new generation. */
export function continueRollout(turn: Turn): void {
  replaceAgent(turn);
  const { rollout, workers } = turn.state;
  if (rollout === null || rollout.stage === "agent") return;
  const finished = workers.every((slot) => {
    const life = readyLife(slot);
    return life !== null && life.generation >= rollout.generation && !isBehind(slot, rollout.generation);
  });
  if (finished) endRollout(turn, rollout, null);
}

/** The first child of the new generation is ready: says that it is watched, so that nobody wonders why nothing goes on. */
export function noteTrial(turn: Turn, id: number): void {
  const { rollout, settings } = turn.state;
  const found = findLife(turn.state, id);
  if (rollout === null || settings.settleMs === 0 || found === null || found.life.generation < rollout.generation) return;
  if (found.slot.role === "agent" ? rollout.stage !== "agent" : trialEndsAt(turn.state) !== turn.now + settings.settleMs) return;
  log(turn, "info", `reload: ${called(found.slot)} must stay ready for ${settings.settleMs} ms (settle) before anything else is replaced`, {
    ...naming(found.slot, found.life),
    settleMs: settings.settleMs,
  });
}

/** When a rollout that waits for its first child to prove itself goes on; infinity when none does. */
export function trialEndsAt(state: State): number {
  const { rollout, agent, settings } = state;
  if (rollout === null) return Number.POSITIVE_INFINITY;
  if (rollout.stage === "workers") return provenAt(state, rollout);
  const life = agent === null ? null : readyLife(agent);
  return life === null || life.generation < rollout.generation ? Number.POSITIVE_INFINITY : life.readyAt + settings.settleMs;
}

/** A child of the new generation that fails, before it was ready or after, ends the reload: the old workers stay, other successors go. */
export function abortRollout(turn: Turn, slot: Slot, life: Life): void {
  const { rollout } = turn.state;
  if (rollout === null || life.generation < rollout.generation) return;
  // Once it was ready, the agent is restarted like any other time.
  if (slot.role === "agent" && rollout.stage !== "agent") return;
  const why = `${called(slot)} of generation ${life.generation} failed`;
  dropSuccessors(turn, (successor) => successor.generation >= rollout.generation);
  const { workers } = turn.state;
  const reached = workers.filter((each) => (readyLife(each)?.generation ?? 0) >= rollout.generation).length;
  const keeping = reached === 0 ? "" : `, and generation ${rollout.generation} stays in ${reached} of ${workers.length} slots`;
  log(turn, "error", `reload aborted: ${why}; the old workers keep serving${keeping}`, { generation: life.generation });
  endRollout(turn, rollout, why);
}

function endRollout(turn: Turn, { generation, queued }: Rollout, why: string | null): void {
  const result = why === null ? "success" : "failure";
  turn.state = { ...turn.state, rollout: null, lastRollout: { generation, result, why } };
  tally(turn, { metric: "reloads", result });
  if (result === "success")
    log(turn, "info", `reload done: every worker runs generation ${turn.state.generation}`, { generation: turn.state.generation });
  if (queued !== null) beginReload(turn, queued.agent);
}

/** One agent: the old one leaves, whatever it is doing, and the new one is awaited before any worker is touched. */
function replaceAgent(turn: Turn): void {
  const { agent, rollout } = turn.state;
  if (agent === null || rollout?.stage !== "agent") return;
  const life = agent.lives.find(isHolding);
  if (life === undefined) {
    // A new agent that fails is about to end the rollout: only the old one's backoff is cut short.
    const isOld = agent.lives.every(({ generation }) => generation < rollout.generation);
    if (isOld && agent.nextReason !== "reload") startAtOnce(turn, agent, "reload");
  } else if (life.generation < rollout.generation) leave(turn, agent, life, "reload");
  else if (life.state === "ready" && turn.now >= life.readyAt + turn.state.settings.settleMs)
    turn.state = { ...turn.state, rollout: { ...rollout, stage: "workers" } };
}

/** Successors that are not wanted any more go, where the worker that they were to replace still serves. */
function dropSuccessors(turn: Turn, isDropped: (life: Life) => boolean): void {
  const deadlineAt = turn.now + turn.state.settings.stopTimeoutMs;
  for (const slot of turn.state.workers) {
    for (const life of slot.lives)
      if (isHolding(life) && hasPredecessor(slot, life) && isDropped(life)) drainLife(turn, slot.role, life.id, "taken-back", deadlineAt);
  }
}
