// A reporter that names the files with a failed test, one in each line: for `.ci/run`, which runs them once more. Runs in the test runner.
import { relative } from "node:path";
import type { TestEvent } from "node:test/reporters";

export default async function* failedFiles(events: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  const told = new Set<string>();
  for await (const event of events) {
    if (event.type !== "test:fail") continue;
    const { file } = event.data;
    if (file === undefined || told.has(file)) continue;
    told.add(file);
    yield `${relative(process.cwd(), file)}\n`;
  }
}
