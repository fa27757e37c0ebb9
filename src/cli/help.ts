// `rollcall --help`
import { helpText } from "../config/help.ts";

export function help(): void {
  process.stdout.write(helpText(Math.min(process.stdout.columns ?? 80, 120)));
}
