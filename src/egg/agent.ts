// The agent of an unmodified Egg application: Rollcall's entry in the place of egg-cluster's agent_worker.js. Ready when Egg's agent is.
// Its one rule: an agent that cannot start ends, whatever listeners Egg has for errors.
import { findLink, type Link } from "../runtime/link.ts";
import { loadFramework, untilReady } from "./framework.ts";
import { readEggOptions } from "./options.ts";

export default async function startAgent(): Promise<void> {
  const link = findLink();
  if (link === undefined) throw new Error("the agent of an Egg application is started by rollcall --egg, not by hand");
  try {
    await runAgent(link);
  } catch (error) {
    link.fail(error);
    // Not ready, ever.
    await new Promise(() => {});
  }
}

async function runAgent(link: Link): Promise<void> {
  const options = readEggOptions(process.env);
  link.takeMessenger();
  const { Agent } = await loadFramework(options);
  const agent = new Agent(options);
  // At once, not when the last connection has gone: those of cluster-client's followers stay for as long as the agent does.
  const closed = new Promise<void>((resolve, reject) =>
    link.signal.addEventListener("abort", () => void agent.close().then(resolve, reject), { once: true }),
  );
  link.onShutdown(() => closed);
  await untilReady(agent);
}
