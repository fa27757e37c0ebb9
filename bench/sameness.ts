// Before anything is measured: every arm answers what the first arm answers, byte for byte but for the date.
import type { Arm } from "./arms/arm.ts";
import { type Answer, askOnce, connect } from "./request.ts";
import { startService } from "./service.ts";

const PATHS = ["/", "/cpu", "/mix-50", "/mix-200", "/nowhere"];

export interface Checked {
  /** Those that start. */
  readonly arms: readonly Arm[];
  readonly remarks: readonly string[];
}

export async function checkSameness(arms: readonly Arm[], reference: Arm, folder: string): Promise<Checked> {
  const started: Arm[] = [];
  const remarks: string[] = [];
  let expected: readonly Answer[] | null = null;
  for (const arm of [reference, ...arms.filter((each) => each !== reference)]) {
    try {
      const answers = await answersOf(arm, folder);
      expected ??= answers;
      const differing = answers.filter((answer, index) => JSON.stringify(answer) !== JSON.stringify(expected?.[index]));
      for (const answer of differing) remarks.push(`${arm.name} answers differently from ${reference.name}: ${JSON.stringify(answer)}`);
      if (arms.includes(arm)) started.push(arm);
    } catch (error) {
      remarks.push(`${arm.name} is left out: ${(error as Error).message}`);
    }
  }
  return { arms: arms.filter((arm) => started.includes(arm)), remarks };
}

async function answersOf(arm: Arm, folder: string): Promise<readonly Answer[]> {
  const service = await startService(arm, arm.workers === "one" ? 1 : 2, folder);
  const { port } = service.options;
  try {
    const answers: Answer[] = [];
    for (const path of PATHS) {
      answers.push(await askOnce(port, path, 5_000));
      const kept = connect(port, true);
      answers.push(await kept.ask(path, 5_000).finally(() => kept.close()));
    }
    return answers;
  } finally {
    await service.stop();
  }
}
