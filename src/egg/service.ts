// Makes a service out of an Egg application: what its agent and workers are told. Runs in the master, at start only.
// Its one rule: no code of the framework or of the application is loaded here.
import type { Config } from "../config/config.ts";
import { EGG_VARIABLE, type EggOptions } from "./options.ts";

/**
 * Below the ephemeral ports of Linux, so that no connection takes the port while an agent is restarted: its followers come back to the same one.
 * Above what services are usually given.
 */
const FIRST_PORT = 25_000;
const PORTS = 7_000;

/** The configuration with the environment that the entries in this folder read. */
export async function withEgg(config: Config): Promise<Config> {
  const { egg, env } = config;
  if (egg?.framework == null) return config;
  const [port] = config.ports;
  const { httpsKey: key, httpsCert: cert, httpsCa: ca, httpsPassphrase: passphrase } = config;
  const options: EggOptions = {
    ...egg.options,
    framework: egg.framework,
    baseDir: egg.folder,
    clusterPort: await pickClusterPort(),
    startMode: "process",
    ...(port === undefined ? {} : { port }),
    ...(key === null || cert === null ? {} : { httpsFiles: { key, cert, ca, passphrase } }),
  };
  // What egg-scripts sets: without it Egg takes itself for a developer's.
  const NODE_ENV = env.NODE_ENV ?? process.env.NODE_ENV ?? "production";
  const deprecation = NODE_ENV === "production" ? { NO_DEPRECATION: "*" } : {};
  return { ...config, serve: "never", env: { ...deprecation, ...env, NODE_ENV, [EGG_VARIABLE]: JSON.stringify(options) } };
}

/** The one port that Rollcall moves where it is taken: it is nobody's business but the service's. */
async function pickClusterPort(): Promise<number> {
  const { detectPort } = await import("detect-port");
  return detectPort({ port: FIRST_PORT + Math.floor(Math.random() * PORTS), hostname: "127.0.0.1" });
}
