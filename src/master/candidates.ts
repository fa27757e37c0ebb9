// Which workers may have a connection that the master has accepted: at most one of each slot. Pure; runs in the master.
import type { State } from "../policy/state.ts";
import type { Candidate } from "../sockets/choice.ts";

/** Lives, by their ids. */
type Lives = Pick<ReadonlySet<number>, "has">;

/**
 * @param openers who listens there
 * @param leaving in a stop: who has not been told to drain yet
 */
export function candidatesOf(workers: State["workers"], openers: Lives, leaving: Lives): readonly Candidate[] {
  // Of each slot the oldest one that is ready: its successor may still be on trial.
  const found = workers.flatMap(({ index, lives }) => {
    const open = lives.filter(({ id }) => openers.has(id)).toSorted((a, b) => a.id - b.id);
    const serving = open.find((life) => life.state === "ready" && !life.suspected) ?? open.find((life) => life.state === "ready");
    return serving === undefined ? [] : [{ life: serving.id, slot: index, isSuspected: serving.state === "ready" && serving.suspected }];
  });
  const able = found.filter(({ isSuspected }) => !isSuspected);
  if (able.length > 0) return able;
  if (found.length > 0) return found;
  const last = workers.flatMap(({ index, lives }) => lives.map(({ id }) => ({ life: id, slot: index })));
  return last.filter(({ life }) => leaving.has(life) && openers.has(life));
}
