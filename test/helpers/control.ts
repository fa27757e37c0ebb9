// Speaks to a control socket byte by byte, as no command would.
import { connect, type Socket } from "node:net";
import type { TestContext } from "node:test";
import { type Answer, parseAnswer } from "../../src/messenger/control.ts";
import { DEADLINE_MS } from "./until.ts";

export interface ControlClient {
  readonly socket: Socket;
  /** All that came so far, as answers. */
  readonly answers: () => readonly Answer[];
  /** The first answer of this kind. */
  readonly has: (event: Answer["event"]) => boolean;
  /** Resolves when the service has closed the connection. */
  readonly closed: Promise<void>;
}

/** Connects and sends `text` as it is. */
export function openClient(t: TestContext, path: string, text = ""): ControlClient {
  const socket = connect(path);
  let received = "";
  socket.setEncoding("utf8").on("data", (chunk: string) => (received += chunk));
  socket.on("error", () => {});
  const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  if (text !== "") socket.write(text);
  t.after(() => socket.destroy());
  const answers = (): readonly Answer[] =>
    received
      .split("\n")
      .slice(0, -1)
      .map((line) => parseAnswer(line) as Answer);
  return { socket, answers, has: (event) => answers().some((answer) => answer.event === event), closed };
}

/** Sends `text` and returns all answers when the service has closed the connection. */
export async function ask(t: TestContext, path: string, text: string): Promise<readonly Answer[]> {
  const client = openClient(t, path, text);
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`the connection stayed open: ${JSON.stringify(client.answers())}`)), DEADLINE_MS);
  });
  await Promise.race([client.closed, late]).finally(() => clearTimeout(timer));
  return client.answers();
}
