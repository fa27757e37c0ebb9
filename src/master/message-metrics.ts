// The metrics of the post, read from its counts at each scrape: a counter of prom-client's for each letter would cost more than the letter.
import { Counter, type Registry } from "prom-client";
import type { PostCounts } from "./post.ts";

export function addMessageMetrics(registry: Registry, look: () => PostCounts): void {
  new Counter({
    name: "rollcall_messages_total",
    help: "Messages handed to a process, by who sent and who received; app is the workers.",
    labelNames: ["from", "to"],
    registers: [registry],
    collect() {
      this.reset();
      for (const [pair, amount] of look().sent) {
        const [from = "", to = ""] = pair.split(" ");
        this.inc({ from, to }, amount);
      }
    },
  });
  new Counter({
    name: "rollcall_messages_dropped_total",
    help: "Messages that were not handed on: absent and full are about the receiver, the others about the message.",
    labelNames: ["reason"],
    registers: [registry],
    collect() {
      this.reset();
      for (const [reason, amount] of look().dropped) this.inc({ reason }, amount);
    },
  });
}
