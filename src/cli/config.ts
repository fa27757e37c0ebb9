// `rollcall config [--json]`: the effective configuration, where each value came from, and the arithmetic of the sizes.
import { explainConfig } from "../config/explain.ts";
import { resolveConfig } from "../config/resolve.ts";
import { EXIT_CODES } from "../errors.ts";
import { sizingInput } from "../master/plan.ts";
import { explainSizing, sizeService } from "../policy/sizing.ts";
import { reportProblems } from "./report.ts";

export async function config(argv: readonly string[]): Promise<void> {
  const asJson = argv.includes("--json");
  const resolved = await resolveConfig({
    argv: argv.filter((word) => word !== "--json"),
    env: process.env,
    cwd: process.cwd(),
    isTerminal: process.stdout.isTTY === true,
  });
  if (!resolved.ok) {
    reportProblems(resolved.problems);
    process.exit(EXIT_CODES.usage);
  }
  const input = sizingInput(resolved.config, process.env);
  const sizing = sizeService(input);
  if (asJson) {
    // Values of `env` may be secrets: only their names are shown.
    const shown = { ...resolved.config, env: Object.keys(resolved.config.env) };
    console.log(JSON.stringify({ config: shown, provenance: resolved.provenance, file: resolved.file, sizing, machine: input }, null, 2));
  } else {
    console.log(
      `${explainConfig(resolved.config, resolved.provenance, resolved.file)}\nsizes\n${explainSizing(sizing, input)
        .map((line) => `  ${line}`)
        .join("\n")}`,
    );
  }
  if (!sizing.ok) process.exit(EXIT_CODES.usage);
}
