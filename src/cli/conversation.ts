// One request to a running service and what it answers, line by line. Runs in the CLI.

import { once } from "node:events";
import { lstatSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { type Answer, encode, parseAnswer, type Request } from "../messenger/control.ts";

/**
 * Yields the answers until the service closes the connection.
 * @param silenceMs gives up when nothing comes for so long; null waits, since the service bounds its own steps
 * @throws Error in words for a person when nobody can be reached
 */
export async function* converse(path: string, request: Request, silenceMs: number | null = null): AsyncGenerator<Answer> {
  const socket = connect(path);
  if (silenceMs !== null) socket.setTimeout(silenceMs, () => socket.destroy(new Error("no answer")));
  try {
    await once(socket, "connect");
  } catch (error) {
    throw new Error(describe(error as NodeJS.ErrnoException, path));
  }
  socket.write(encode(request));
  for await (const line of linesOf(socket)) {
    const answer = parseAnswer(line);
    if (answer !== null) yield answer;
    else throw new Error(`${path} does not speak this version of the protocol: use the rollcall that the service runs`);
  }
}

/** Ends with the connection. A service that dies ends it somehow; which way makes no difference. */
async function* linesOf(socket: Socket): AsyncGenerator<string> {
  socket.on("error", () => {});
  socket.setEncoding("utf8");
  let rest = "";
  try {
    for await (const chunk of socket) {
      const lines = `${rest}${chunk}`.split("\n");
      rest = lines.pop() ?? "";
      yield* lines;
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === undefined) throw error;
  }
}

function describe({ code, message }: NodeJS.ErrnoException, path: string): string {
  if (code === "ENOENT") return `there is no control socket at ${path}: is the service running, and was it started with --control ${path}?`;
  if (code === "ECONNREFUSED" && lstatSync(path, { throwIfNoEntry: false })?.isSocket() !== true)
    return `${path} is no socket: expected the control socket of a running service`;
  if (code === "ECONNREFUSED") return `nobody listens at ${path}: its service has ended`;
  if (code === "EACCES" || code === "EPERM") return `${path} is another user's: run this as the user of the service, or as root`;
  return `cannot connect to ${path}: ${message}`;
}
