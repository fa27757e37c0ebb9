// What a child that has died said last may still be in its channel. Runs in the master.
import type { ChildProcess } from "node:child_process";

/** How long the end of a dead child's channel is waited for. */
export const LAST_WORDS_MS = 200;

/**
 * Once what a dead child has said is read: a busy master hears of the death before the reason. Whatever else came at the same time, such as the signal to
 * the whole group that killed it, comes first as well.
 */
export function afterLastWords(child: ChildProcess, callback: () => void): void {
  if (!child.connected) return void setImmediate(callback);
  let isOver = false;
  const end = (): void => {
    if (isOver) return;
    isOver = true;
    clearTimeout(timer);
    callback();
  };
  // A grandchild that has inherited the channel keeps it open.
  const timer = setTimeout(end, LAST_WORDS_MS);
  child.once("disconnect", () => setImmediate(end));
}
