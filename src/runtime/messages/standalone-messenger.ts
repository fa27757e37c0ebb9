// The messenger of a process that nobody supervises: it is the only worker, and hears what it sends to workers. Runs in the app's own process.
import { type Endpoint, envelopeOf, stamp, writeFrame } from "../../messenger/frame.ts";
import { isMasterAction, writeBody } from "../../messenger/letter.ts";
import { route } from "../../messenger/router.ts";
import { Messenger } from "./messenger.ts";

const NO_MASTER = -1;

let only: Messenger | null = null;

export function standaloneMessenger(): Messenger {
  if (only !== null) return only;
  const messenger = new Messenger({ role: "worker", send, flushed, hasRawListeners: () => false, emitRaw() {} }).hearMaster();
  only = messenger;
  // What an app waits for before it begins to talk: all are there.
  setImmediate(() => {
    messenger.booted();
    deliver(writeFrame({ ...NOTHING, action: "egg-ready" }, ...writeBody({}, "v8")), "master");
  });
  return messenger;

  function send(frame: Buffer): boolean {
    const envelope = envelopeOf(frame);
    const self = { role: "worker", pid: process.pid, isReady: true } as const;
    const heard = route({ ...envelope, from: "app" }, null, { masterPid: NO_MASTER, children: [self] }, 0);
    if (isMasterAction(envelope.action)) return true;
    if (heard.some(({ children }) => children.length > 0)) deliver(frame, "app");
    else if (envelope.kind === "question") {
      const why = "there is nobody else: this process was started without rollcall";
      deliver(writeFrame({ ...envelope, kind: "refusal" }, ...writeBody(why, "v8")), "master");
    }
    return true;
  }

  /** What was sent before has been heard by then. */
  function flushed(): Promise<void> {
    return new Promise((resolve) => setImmediate(resolve));
  }

  /** Never in the turn in which it is sent. */
  function deliver(frame: Buffer, from: Endpoint): void {
    stamp(frame, from, from === "app" ? process.pid : 0);
    setImmediate(() => messenger.receive(frame));
  }
}

const NOTHING = { to: "usual", kind: "letter", receiver: 0, question: 0 } as const;
