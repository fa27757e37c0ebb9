// Work that many may ask for at once: it is done once for all who ask meanwhile, and never beside itself. Pure.

/** Whoever asks gets a result that was begun after it asked; those who ask while one is under way share the next one. */
export function oneAtATime<T>(work: () => Promise<T>): () => Promise<T> {
  let running: Promise<unknown> = Promise.resolve();
  let next: Promise<T> | null = null;
  return () => {
    next ??= running.then(() => {
      next = null;
      const result = work();
      running = result.catch(() => {});
      return result;
    });
    return next;
  };
}
