// Leader and followers: the agent has the one connection to a feed (lines of "key value"), and every worker follows it. As cluster-client does it.
// Your own project imports from "rollcall/app".
import { connect, type Socket } from "node:net";
import { messenger, shutdownSignal } from "../../src/runtime/app.ts";

const known = new Map<string, string>();
let feed: Socket;

// A worker that starts, or that has found a new leader, takes over what is known so far.
messenger.onAsk("follow", () => known);
// What a worker has to say upstream goes by the same connection.
messenger.onAsk("publish", (line: string) => void feed.write(`${line}\n`));

export default function lead(): Promise<void> {
  return new Promise((resolve) => {
    let rest = "";
    feed = connect(Number(process.env.FEED_PORT), "127.0.0.1", resolve).setEncoding("utf8");
    feed.on("data", (text: string) => {
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      for (const [key = "", value = ""] of lines.map((line) => line.split(" "))) {
        known.set(key, value);
        messenger.sendToApp("changed", { key, value });
      }
    });
    // Without its connection the agent is of no use: it ends, and its successor tries again.
    feed.on("error", () => process.exit(1)).on("close", () => shutdownSignal.aborted || process.exit(1));
    shutdownSignal.addEventListener("abort", () => feed.end());
  });
}
