// `rollcall health [live|ready]`: asks the probe server over loopback, for Docker's HEALTHCHECK. Exit 0 or 1, never anything else.
import { Agent, request } from "undici";
import { readFlags } from "../config/flags.ts";
import { resolveProbesPort } from "../config/resolve.ts";
import { EXIT_CODES } from "../errors.ts";
import { reportProblems } from "./report.ts";

/** Shorter than Docker's own default, so that the reason is told. */
const TIMEOUT_MS = 4_000;

export async function health(argv: readonly string[]): Promise<void> {
  // The one word that is no option's value.
  const asked = readFlags(argv).given.get("app")?.raw ?? "live";
  if (asked !== "live" && asked !== "ready") {
    reportProblems([`health: expected live or ready; got "${asked}"`]);
    process.exit(EXIT_CODES.internal);
  }
  const port = await resolveProbesPort({
    argv: argv.filter((word) => word !== asked),
    env: process.env,
    cwd: process.cwd(),
    isTerminal: false,
  });
  try {
    const { statusCode, body } = await request(`http://127.0.0.1:${port}/${asked}`, {
      headersTimeout: TIMEOUT_MS,
      bodyTimeout: TIMEOUT_MS,
      // Node's own would go by a proxy of the environment.
      dispatcher: new Agent(),
    });
    console.log(`${asked}: ${statusCode} ${await body.text()}`);
    process.exit(statusCode === 200 ? EXIT_CODES.ok : EXIT_CODES.internal);
  } catch (error) {
    console.error(`${asked}: no answer from the probes on port ${port}: ${(error as Error).message}`);
    process.exit(EXIT_CODES.internal);
  }
}
