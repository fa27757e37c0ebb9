// The outside world in one struct: clock, chance, timer, exit. The master gets it as an argument, so a test can hand it another one.

export interface World {
  /** Milliseconds of a monotonic clock: wall-clock jumps do not move deadlines. */
  now(): number;
  /** Uniform in [0, 1). */
  random(): number;
  /** Calls back once after `delayMs`, at the earliest; returns what cancels it. */
  startTimer(delayMs: number, callback: () => void): () => void;
  /** Ends this process; does not return in the real world. */
  exit(code: number): void;
}

export const realWorld: World = {
  now: () => performance.now(),
  random: () => Math.random(),
  startTimer(delayMs, callback) {
    const timer = setTimeout(callback, delayMs);
    return () => clearTimeout(timer);
  },
  exit: (code) => process.exit(code),
};
