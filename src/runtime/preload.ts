// The first thing that a child runs, by --require, before the app: handlers first, ready last.
// Runs in the agent and in every worker; does nothing in a process that the master did not start.
import cluster from "node:cluster";
import { readAssignment } from "./border/assignment.ts";
import { Channel } from "./border/channel.ts";
import { keepHouse } from "./border/house.ts";
import { freeInspectorPort } from "./border/inspection.ts";
import { openInspector } from "./border/inspector.ts";
import { SignalGuard } from "./border/signal-guard.ts";
import { openBorder } from "./border/thread.ts";
import { endDescendantsAtExit } from "./life/descendants.ts";
import { Drain } from "./life/drain.ts";
import { catchFaults } from "./life/faults.ts";
import { startHeartbeat } from "./life/heartbeat.ts";
import { Hooks } from "./life/hooks.ts";
import { tellWhenIdle } from "./life/idle.ts";
import { announceWhenReady } from "./life/readiness.ts";
import { tellOfStrayTerm } from "./life/stray-term.ts";
import { publishLink } from "./link.ts";
import { HandOverListening } from "./listening/hand-over-listening.ts";
import { HeldListening } from "./listening/listen.ts";
import { keepUdpClientsApart } from "./listening/udp.ts";
import { PostBox } from "./messages/post-box.ts";
import { takeRawMessages } from "./messages/raw-messages.ts";
import { serveExported } from "./serving/serve-exported.ts";
import { Traffic } from "./traffic/traffic.ts";

const assignment = readAssignment();
const openPost = assignment === null ? null : openBorder(assignment);
if (assignment !== null && openPost !== null) {
  // Without it a cluster worker exits 0 at once when its master is gone, whatever it has in hand.
  if (cluster.worker !== undefined) cluster.worker.exitedAfterDisconnect = true;
  const guard = new SignalGuard();
  const channel = new Channel();
  const traffic = new Traffic();
  const listening =
    assignment.handOver === null ? new HeldListening(assignment, channel, traffic) : new HandOverListening(assignment, channel);
  keepUdpClientsApart();
  const hooks = new Hooks(guard);
  const drain = new Drain({ channel, traffic, hooks, listening, assignment });
  channel.onDrain((order) => {
    drain.begin({ budgetMs: order.budgetMs, idleMs: order.idleMs, isLast: order.isLast, exitCode: 0 });
  });
  channel.onLost(() => {
    endDescendantsAtExit(assignment);
    drain.begin({ budgetMs: assignment.stopTimeoutMs, idleMs: assignment.drainIdleMs, isLast: true, exitCode: 110 });
  });
  tellOfStrayTerm({ guard, channel, drain });
  const post = new PostBox(assignment, channel, openPost);
  const beat = startHeartbeat({ assignment, channel, traffic });
  const readiness = announceWhenReady({ assignment, channel, traffic, beat, onReady: () => post.messenger.booted() });
  takeRawMessages(post, readiness);
  serveExported(assignment);
  tellWhenIdle({ channel, drain, readiness, hasListeners: () => post.messenger.hasListeners });
  const fail = catchFaults({ assignment, channel, drain, readiness, traffic });
  // A thread has no inspector of its own.
  if (!assignment.thread && assignment.debugPort === null) freeInspectorPort();
  else if (!assignment.thread && assignment.debugPort !== null) openInspector(assignment.debugPort);
  keepHouse();
  publishLink({ assignment, channel, hooks, readiness, messenger: post.messenger, fail });
}
