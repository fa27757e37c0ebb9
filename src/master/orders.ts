// What becomes of a request, whoever makes it and on whatever way it came: an answer at once, or an order with what its giver follows it by.
// Runs in the master.
import type { Answer, Request } from "../messenger/control.ts";
import { orderOf } from "../messenger/control.ts";
import type { Order } from "../policy/events.ts";
import { pursue, refusal } from "../policy/pursuit.ts";
import type { State } from "../policy/state.ts";
import { Watch } from "./control-watch.ts";

export interface OrderSource {
  state(): State;
  now(): number;
  order(order: Order): void;
  status(): object;
}

export type Judged =
  | { readonly type: "answered"; readonly last: Answer }
  /** To be given once the first answer is out. */
  | { readonly type: "accepted"; readonly first: Answer; readonly order: Order; readonly watch: Watch };

export function judgeRequest(request: Request, source: OrderSource): Judged {
  const before = source.state();
  const order = orderOf(request, before.workersTarget);
  if (order === null) return { type: "answered", last: { event: "status", status: source.status() } };
  const { command } = request;
  const why = refusal(order, before);
  if (why !== null) return { type: "answered", last: { event: "failed", command, why } };
  const pursuit = pursue(order, before);
  return {
    type: "accepted",
    first: { event: "accepted", command, pid: process.pid, ...detailsOf(pursuit) },
    order,
    watch: new Watch(command, pursuit, before, source.now()),
  };
}

function detailsOf(pursuit: ReturnType<typeof pursue>): Partial<Extract<Answer, { event: "accepted" }>> {
  if (pursuit.kind === "reload") return { generation: pursuit.generation, queued: pursuit.queued };
  return pursuit.kind === "scale" ? { workers: pursuit.workers } : {};
}
