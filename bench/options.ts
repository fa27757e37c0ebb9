// The command line: which arms and loads, how long, how often.
import { parseArgs } from "node:util";
import { ARMS } from "./arms/all.ts";
import type { Arm } from "./arms/arm.ts";
import { LOADS } from "./loads/all.ts";
import type { Load } from "./loads/load.ts";

export interface Options {
  readonly arms: readonly Arm[];
  readonly loads: readonly Load[];
  readonly base: Arm;
  readonly seconds: number;
  readonly rounds: number;
  readonly workers: number;
  readonly out: string;
  /** Also writes docs/benchmarks.md. */
  readonly docs: boolean;
}

export const HELP: string = `npm run bench -- [options]      (first: npm ci --prefix bench; apt-get install wrk)

  --arms <a,b>      ${ARMS.map((arm) => arm.name).join(", ")}; a prefix will do
  --loads <a,b>     ${LOADS.map((load) => load.name).join(", ")}; a prefix will do
  --base <arm>      what ratios are against (node:cluster)
  --seconds <n>     of each measure (2)
  --rounds <n>      (5)
  --workers <n>     (4)
  --out <file>      results as JSON (bench/results.json)
  --docs            also write docs/benchmarks.md
`;

/** @throws of an argument that it does not know; null asks for help */
export function parseOptions(args: readonly string[]): Options | null {
  const { values } = parseArgs({
    args: [...args],
    options: {
      arms: { type: "string" },
      loads: { type: "string" },
      base: { type: "string", default: "node:cluster" },
      seconds: { type: "string", default: "2" },
      rounds: { type: "string", default: "5" },
      workers: { type: "string", default: "4" },
      out: { type: "string", default: "bench/results.json" },
      docs: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return null;
  const [base] = choose("arm", ARMS, values.base);
  if (base === undefined) throw new Error(`--base expects an arm, got "${values.base}"`);
  return {
    arms: choose("arm", ARMS, values.arms),
    loads: choose("load", LOADS, values.loads),
    base,
    seconds: positive("seconds", values.seconds),
    rounds: positive("rounds", values.rounds),
    workers: positive("workers", values.workers),
    out: values.out,
    docs: values.docs,
  };
}

/** In the order of the list. An exact name is that one alone; otherwise all that begin so. */
function choose<T extends { readonly name: string }>(kind: string, all: readonly T[], wanted: string | undefined): readonly T[] {
  if (wanted === undefined) return all;
  const chosen = wanted.split(",").flatMap((word) => {
    const exact = all.filter(({ name }) => name === word);
    const found = exact.length > 0 ? exact : all.filter(({ name }) => name.startsWith(word));
    if (found.length === 0) throw new Error(`no ${kind} "${word}"; there are: ${all.map(({ name }) => name).join(", ")}`);
    return found;
  });
  return all.filter((each) => chosen.includes(each));
}

function positive(name: string, text: string): number {
  const value = Number(text);
  if (!(Number.isInteger(value) && value > 0)) throw new Error(`--${name} expects a whole number above 0, got "${text}"`);
  return value;
}
