// What children say of what they depend on: a database that is away makes a ready process one that should get no traffic. Pure.
import { MOST_AILMENTS } from "./ailments.ts";
import type { HealthEvent } from "./events.ts";
import { findLife } from "./select.ts";
import { called, log, naming, putLife, type Turn } from "./turn.ts";

/** Takes note of one named thing of one life: well (`reason` null), or not and why. */
export function onHealth(turn: Turn, { life: id, name, reason, isTold }: HealthEvent): void {
  const found = findLife(turn.state, id);
  if (found === null) return;
  const { slot, life } = found;
  const before = life.ailments.find((each) => each.name === name);
  if ((before?.reason ?? null) === reason) return;
  const others = life.ailments.filter((each) => each.name !== name);
  if (reason !== null && others.length >= MOST_AILMENTS) return;
  putLife(turn, slot, { ...life, ailments: reason === null ? others : [...others, { name, reason }] });
  if (!isTold) return;
  const words = reason === null ? `${name} is well again` : `${name} is not well${reason === "" ? "" : `: ${reason}`}`;
  log(turn, reason === null ? "info" : "warn", `${called(slot)}: ${words} (health)`, { ...naming(slot, life), health: name });
}
