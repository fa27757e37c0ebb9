// What a service says of an order, in a line for a person. Pure.
import type { Answer } from "../messenger/control.ts";
import type { DrainCause } from "../policy/life.ts";
import type { ProcessName } from "../policy/progress.ts";

type StepAnswer = Extract<Answer, { event: "step" }>;

/** Null for what a person need not read. */
export function describeAnswer(answer: Answer): string | null {
  switch (answer.event) {
    case "accepted":
      return describeAcceptance(answer);
    case "step":
      return `${answer.role === "agent" ? "agent" : `worker ${answer.slot}`}: ${describeStep(answer)}`;
    case "log":
      return answer.level === "info" ? answer.message : `${answer.level}: ${answer.message}`;
    case "done":
      return DONE[answer.command];
    case "failed":
      return `${answer.command} failed: ${answer.why}`;
    case "ended":
      return `stopped: the service has ended with exit code ${answer.exitCode}`;
    case "error":
      return answer.message;
    case "status":
      return null;
    default:
      answer satisfies never;
      // A newer service of the same version may have more to say.
      return null;
  }
}

const DONE: Readonly<Record<Extract<Answer, { event: "done" }>["command"], string>> = {
  reload: "reload done: every worker runs the new generation",
  scale: "scale done",
  restart: "restart done",
  drain: "drained: /ready answers 500 until rollcall undrain; the workers keep serving",
  undrain: "undrained: /ready follows the workers again",
  stop: "stopped",
  status: "done",
};

function describeAcceptance({ command, generation, queued, workers }: Extract<Answer, { event: "accepted" }>): string | null {
  if (command === "reload") return `reload: generation ${generation}${queued === true ? ", queued behind what is running" : ""}`;
  if (command === "scale") return `scale: to ${workers} ${workers === 1 ? "worker" : "workers"}`;
  return command === "restart" || command === "stop" ? `${command}: under way` : null;
}

function describeStep({ happened, ...step }: StepAnswer): string {
  const process = nameOf(step);
  switch (happened.type) {
    case "started":
      return `${process} starting`;
    case "readied":
      return describeReady(process, happened);
    case "draining":
      return describeDrain(process, happened.cause) + remaining(happened);
    case "killing":
      return `${process} killed (${happened.cause})${remaining(happened)}`;
    case "ended":
      return describeEnd(process, happened) + remaining(happened);
    default:
      return happened satisfies never;
  }
}

function nameOf({ pid, generation }: ProcessName): string {
  return `pid ${pid ?? "?"} generation ${generation}`;
}

/** The arrow is for one that has taken the slot; one on trial may yet be taken back. */
function describeReady(process: string, { replaces, trial, bootMs }: Extract<StepAnswer["happened"], { type: "readied" }>): string {
  const ready = `${process} ready in ${bootMs} ms`;
  if (replaces === null) return ready;
  return trial ? `${ready}, on trial beside ${nameOf(replaces)}` : `${nameOf(replaces)} → ${ready}`;
}

function describeDrain(process: string, cause: DrainCause): string {
  if (cause === "crash") return `${process} draining after an uncaught exception`;
  return cause === "taken-back" ? `${process} taken back` : `${named(process, cause)} draining`;
}

/** What the slot has after a successor has come to nothing. */
function remaining({ stays }: { readonly stays: ProcessName | null }): string {
  return stays === null ? "" : `; ${nameOf(stays)} stays`;
}

/** One that is replaced has a successor of the same name. */
function named(process: string, cause: string | null): string {
  return cause === "reload" || cause === "restart" || cause === "recycle" ? `old one (${process})` : process;
}

function describeEnd(process: string, { was, cause }: Extract<StepAnswer["happened"], { type: "ended" }>): string {
  switch (was) {
    case "starting":
      return `${process} ended before it was ready`;
    case "ready":
      return `${process} ended without being asked to`;
    case "draining":
      return `${named(process, cause)} drained`;
    case "killing":
      return `${process} gone`;
    default:
      return was satisfies never;
  }
}
