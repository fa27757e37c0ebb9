// The first thing that a child runs, by --require, before the app: handlers first, ready last.
// Runs in the agent and in every worker; does nothing in a process that the master did not start.
import cluster from "node:cluster";
import { readAssignment } from "./assignment.ts";
import { Channel } from "./channel.ts";
import { Drain } from "./drain.ts";
import { catchFaults } from "./faults.ts";
import { startHeartbeat } from "./heartbeat.ts";
import { Hooks } from "./hooks.ts";
import { freeInspectorPort } from "./inspection.ts";
import { openInspector } from "./inspector.ts";
import { publishLink } from "./link.ts";
import { HeldListening } from "./listen.ts";
import { PostBox } from "./post-box.ts";
import { takeRawMessages } from "./raw-messages.ts";
import { announceWhenReady } from "./readiness.ts";
import { serveExported } from "./serve-exported.ts";
import { SignalGuard } from "./signal-guard.ts";
import { StickyListening } from "./sticky-listening.ts";
import { Traffic } from "./traffic.ts";

const assignment = readAssignment();
if (assignment !== null && process.send !== undefined) {
  // Without it a cluster worker exits 0 at once when its master is gone, whatever it has in hand.
  if (cluster.worker !== undefined) cluster.worker.exitedAfterDisconnect = true;
  const guard = new SignalGuard();
  const channel = new Channel();
  const listening = assignment.sticky === null ? new HeldListening(assignment, channel) : new StickyListening(assignment, channel);
  const traffic = new Traffic();
  const hooks = new Hooks(guard);
  const drain = new Drain({ channel, traffic, hooks, assignment });
  channel.onDrain((order) => {
    listening.end();
    drain.begin({ budgetMs: order.budgetMs, idleMs: order.idleMs, exitCode: 0 });
  });
  channel.onLost(() => {
    listening.end();
    drain.begin({ budgetMs: assignment.stopTimeoutMs, idleMs: assignment.drainIdleMs, exitCode: 110 });
  });
  const post = new PostBox(assignment, channel);
  const beat = startHeartbeat({ assignment, channel, traffic });
  const readiness = announceWhenReady({ assignment, channel, traffic, beat, onReady: () => post.messenger.booted() });
  takeRawMessages(post, readiness);
  serveExported(assignment);
  const fail = catchFaults({ assignment, channel, drain, readiness, traffic });
  if (assignment.debugPort === null) freeInspectorPort();
  else openInspector(assignment.debugPort);
  publishLink({ assignment, channel, hooks, readiness, messenger: post.messenger, fail });
}
