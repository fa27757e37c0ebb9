// Which workers may have a connection that the master has accepted: every one that is ready, also a successor on trial, which is to be tried with what its clients
// ask, and its predecessor. Pure; runs in the master.
import type { State } from "../policy/state.ts";
import type { Candidate } from "../sockets/choice.ts";

/** Lives, by their ids. */
type Lives = Pick<ReadonlySet<number>, "has">;

/**
 * @param openers who listens there
 * @param leaving in a stop: who has not been told to drain yet
 */
export function candidatesOf(workers: State["workers"], openers: Lives, leaving: Lives): readonly Candidate[] {
  const found = workers.flatMap(({ index, lives }) =>
    lives.flatMap((life) =>
      life.state === "ready" && openers.has(life.id) ? [{ life: life.id, slot: index, isSuspected: life.suspected }] : [],
    ),
  );
  const able = found.filter(({ isSuspected }) => !isSuspected);
  if (able.length > 0) return able;
  if (found.length > 0) return found;
  const last = workers.flatMap(({ index, lives }) => lives.map(({ id }) => ({ life: id, slot: index })));
  return last.filter(({ life }) => leaving.has(life) && openers.has(life));
}
