// The metrics of the post, read from its counts at each scrape: a counter of prom-client's for each letter would cost more than the letter.
// Runs in the master.
import type { Registry } from "prom-client";
import type { PostCounts } from "../post/post.ts";
import { addsTo } from "./collected.ts";

export function addMessageMetrics(registry: Registry, look: () => PostCounts): void {
  const { counter } = addsTo(registry);
  counter(
    "rollcall_messages_total",
    "Messages handed to a process, by who sent and who received; app is the workers.",
    ["from", "to"],
    (set) => {
      for (const [pair, amount] of look().sent) {
        const [from = "", to = ""] = pair.split(" ");
        set({ from, to }, amount);
      }
    },
  );
  counter(
    "rollcall_messages_dropped_total",
    "Messages that were not handed on: absent and full are about the receiver, the others about the message.",
    ["reason"],
    (set) => {
      for (const [reason, amount] of look().dropped) set({ reason }, amount);
    },
  );
}
