// One request to a running service and what it answers, line by line. Runs in the CLI.

import { once } from "node:events";
import { lstatSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { type Answer, encode, parseAnswer, type Request } from "../messenger/control.ts";

/** A healthy service takes an order, or says that it does not, at once. */
const PATIENCE_MS = 10_000;

/** It is there, and says nothing. */
class NoAnswer extends Error {}

/**
 * Yields the answers until the service closes the connection.
 * @param patienceMs how long the first answer may take. The service bounds its own steps, so after that one silence may last; but whether it still
 *   answers at all is then asked on a connection beside, each time that it has been silent for so long
 * @throws Error in words for a person when nobody can be reached, or who can be reached does not answer, or closes the connection instead
 */
export async function* converse(path: string, request: Request, patienceMs: number = PATIENCE_MS): AsyncGenerator<Answer> {
  const socket = connect(path);
  try {
    await once(socket, "connect");
  } catch (error) {
    throw describe(error as NodeJS.ErrnoException, path, request);
  }
  socket.write(encode(request));
  let pid = /rollcall-(\d+)\.sock$/.exec(path)?.[1];
  let isTaken = false;
  onSilence(socket, patienceMs, async () => {
    if (isTaken && (await stillAnswers(path, patienceMs))) return;
    socket.destroy(noAnswer(request, pid));
  });
  for await (const line of linesOf(socket)) {
    const answer = parseAnswer(line);
    if (answer === null) throw new Error(`${path} does not speak this version of the protocol: use the rollcall that the service runs`);
    isTaken = true;
    if (answer.event === "accepted") pid = String(answer.pid);
    yield answer;
  }
  if (!isTaken)
    throw new Error(
      `${path} was closed without an answer: its service has just ended, or can open no more files; rollcall status says which`,
    );
}

/** Each time that nothing has come for so long. */
function onSilence(socket: Socket, ms: number, act: () => Promise<void>): void {
  socket.setTimeout(ms).on("timeout", () => {
    // When this process has stood still itself, its timers are late and the answer is there already: that is read first.
    setImmediate(() => void act().then(() => socket.setTimeout(ms)));
  });
}

/** Only silence tells that it stands still. One that has just ended closes the first connection as well. */
async function stillAnswers(path: string, patienceMs: number): Promise<boolean> {
  try {
    await converse(path, { command: "status" }, patienceMs).next();
    return true;
  } catch (error) {
    return !(error instanceof NoAnswer);
  }
}

function noAnswer({ command }: Request, pid: string | undefined): NoAnswer {
  const service = pid === undefined ? "the service" : `the service (pid ${pid})`;
  // The order waits in the socket, and is carried out although its giver has left.
  const later = command === "status" ? "" : `; when it goes on, the ${command} may still be done`;
  return new NoAnswer(`${service} does not answer: it may be stopped (SIGSTOP, a paused container) or very busy${later}`);
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

function describe({ code, message }: NodeJS.ErrnoException, path: string, request: Request): Error {
  // So many wait to be accepted that there is room for no more.
  return code === "EAGAIN" ? noAnswer(request, undefined) : new Error(explain(code, message, path));
}

function explain(code: string | undefined, message: string, path: string): string {
  if (code === "ENOENT") return `there is no control socket at ${path}: is the service running, and was it started with --control ${path}?`;
  if (code === "ECONNREFUSED" && lstatSync(path, { throwIfNoEntry: false })?.isSocket() !== true)
    return `${path} is no socket: expected the control socket of a running service`;
  if (code === "ECONNREFUSED") return `nobody listens at ${path}: its service has ended`;
  if (code === "EACCES" || code === "EPERM") return `${path} is another user's: run this as the user of the service, or as root`;
  return `cannot connect to ${path}: ${message}`;
}
