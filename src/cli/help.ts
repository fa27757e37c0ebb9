// `rollcall --help`, `rollcall <command> --help`
import { commandHelp, helpText } from "../config/help.ts";

/** @param command the command whose help is asked for; any other word is nobody's and shows the whole */
export function help(command: string | undefined): void {
  const columns = Math.min(process.stdout.columns ?? 80, 120);
  process.stdout.write(commandHelp(command, columns) ?? helpText(columns));
}
