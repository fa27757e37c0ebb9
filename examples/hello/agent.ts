// The agent: the one process for work that must happen once per container, not once per worker.
// It is ready when the exported function has resolved; the workers are started after that.

const REFRESH_MS = 60_000;

export default async function agent(): Promise<void> {
  await refresh();
  // A timer keeps the agent alive; a real one would hold a queue consumer, a cache or a scheduler.
  setInterval(() => void refresh(), REFRESH_MS);
}

async function refresh(): Promise<void> {
  console.log(`agent: refreshed by pid ${process.pid} at ${new Date().toISOString()}`);
}
