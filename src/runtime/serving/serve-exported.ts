// Serves what the app exports, where the app does not listen by itself: on the declared ports, by http or https. Runs in a worker.
// Its one rule: an app that listens, now or once it has connected to what it needs, is left alone.
import diagnostics from "node:diagnostics_channel";
import type { RequestListener, Server } from "node:http";
import type { ListenOptions } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { Assignment, HttpsFiles } from "../../messenger/wire.ts";
import { readHttpsFiles } from "../../system/https-files.ts";
import { classify, describeExported, describeUnusable, type Exported, findExported } from "./exported.ts";
import { mainModule } from "./main-module.ts";

/** How often is looked, and how long after, whether an app that is still busy when it has loaded listens by itself: turns of its own event loop, so that
 * one that was held up is not found wanting for it. */
const LOOKS = 200;
const LOOK_MS = 10;
/** What a process has open that waits for nothing: its channel, its pipes, its terminal. */
const IDLE_RESOURCES: ReadonlySet<string> = new Set(["PipeWrap", "TTYWrap", "Immediate", "MessagePort", "CloseReq"]);

export function serveExported({ slot, serve, ports, readyWhen }: Assignment): void {
  if (serve.when === "never") return;
  // A queue consumer exports what it likes.
  if (ports.length === 0 && (readyWhen === "loaded" || readyWhen === "message")) return;
  let listens = false;
  let isOurs = false;
  const onListen = (message: unknown): void => {
    const port = Number((message as { options?: { port?: unknown } }).options?.port);
    if (!isOurs && (ports.length === 0 || ports.includes(port))) listens = true;
  };
  diagnostics.subscribe("tracing:net.server.listen:asyncStart", onListen);
  mainModule()
    // A failure to load is Node's to tell.
    .catch(() => null)
    .then(async (exports) => {
      const exported = findExported(exports);
      if (exported === null) await sayUnusable(describeUnusable(exports));
      if (exported === null || (await isLeftToApp())) return sayHttpsUnused();
      isOurs = true;
      diagnostics.unsubscribe("tracing:net.server.listen:asyncStart", onListen);
      if (ports.length === 0)
        throw new TypeError(`Rollcall: the app exports ${describeExported(exported)} and no port is known: give --port, or PORT`);
      await open(exported, { serve, ports });
    })
    // An error of the app's start, as if the main module had thrown it.
    .catch((error: unknown) => queueMicrotask(() => rethrow(error)));

  /** It may listen later, so it lives on; but whoever has mistyped the export need not wait for the boot's deadline to hear of it. */
  async function sayUnusable(what: string | null): Promise<void> {
    if (what === null || ports.length === 0 || slot > 0 || (await isLeftToApp())) return;
    console.error(
      `Rollcall: the app exports ${what} and does not listen on ${ports.join(", ")}: expected a listen() of its own, or as the default export a request ` +
        "listener, { fetch }, an app of a framework, a server, or a function that returns one of these",
    );
  }

  /** Whoever set a certificate counts on it. */
  function sayHttpsUnused(): void {
    if (serve.https !== null && listens)
      console.error("Rollcall: https-key and https-cert are for an app that exports a handler; this one listens by itself, without them");
  }

  async function isLeftToApp(): Promise<boolean> {
    const looks = serve.when === "export" ? 0 : LOOKS;
    for (let look = 0; look < looks && !listens && isBusy(); look++) await sleep(LOOK_MS, undefined, { ref: false });
    if (listens || ports.length > 0) return listens;
    // Without a port there is nothing to serve on: the boot's deadline speaks, unless it is certain that the app will never listen.
    return isBusy();
  }
}

/** Whether something is under way that may lead to a listen(). */
function isBusy(): boolean {
  return process.getActiveResourcesInfo().some((name) => !IDLE_RESOURCES.has(name));
}

type Place = Pick<Assignment, "serve" | "ports">;

async function open(exported: Exported, place: Place): Promise<void> {
  const { serve, ports } = place;
  const [port, ...others] = ports as [number, ...number[]];
  const where = (each: number): ListenOptions => ({ port: each, ...(serve.host === null ? {} : { host: serve.host }) });
  switch (exported.type) {
    case "listener":
      for (const each of ports) createServer(exported.listener, serve.https).listen(where(each));
      return;
    case "fetch": {
      const { fetchListener } = await import("./fetch-listener.ts");
      return open({ type: "listener", listener: fetchListener(exported.fetch) }, place);
    }
    case "server":
      refuseMore(exported, others, serve.https, typeof (exported.server as { setSecureContext?: unknown }).setSecureContext === "function");
      if (!exported.server.listening) exported.server.listen(where(port));
      return;
    case "framework":
      refuseMore(exported, others, serve.https, false);
      await exported.listen({ port, host: serve.host ?? "::" });
      return;
    case "factory": {
      const made: unknown = await exported.make();
      const found = classify(made);
      if (found === null || found.type === "factory") {
        const came = made === null ? "null" : typeof made;
        throw new TypeError(
          `Rollcall: expected the app's default export to be a request listener, { fetch } or a function that returns a server; the function returned ${came}`,
        );
      }
      return open(found, place);
    }
    default:
      exported satisfies never;
  }
}

/** A server of the app's own is as it is. */
function refuseMore(exported: Exported, others: readonly number[], https: HttpsFiles | null, isSecure: boolean): void {
  const what = `Rollcall: the app exports ${describeExported(exported)}, which`;
  if (others.length > 0) throw new TypeError(`${what} listens on one port; export a request listener or { fetch } for several`);
  if (https !== null && !isSecure)
    throw new TypeError(`${what} speaks no https: make it with the certificate, or export a request listener or { fetch }`);
}

function createServer(listener: RequestListener, https: HttpsFiles | null): Server {
  // Not by `import`, which loads more of them than is needed here.
  if (https === null) return process.getBuiltinModule("node:http").createServer(listener);
  return process.getBuiltinModule("node:https").createServer(readHttpsFiles(https), listener);
}

function rethrow(error: unknown): never {
  throw error;
}
