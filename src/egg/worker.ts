// A worker of an unmodified Egg application: Rollcall's entry in the place of egg-cluster's app_worker.js. Ready when it listens.
// Its one rule: how the process ends is Rollcall's business, not graceful-process's or graceful's.
import { readFileSync } from "node:fs";
import http from "node:http";
import https from "node:https";
import { findLink, type Link } from "../runtime/link.ts";
import { readHttpsFiles } from "../system/https-files.ts";
import { type EggApplication, loadFramework, untilReady } from "./framework.ts";
import { type EggOptions, readEggOptions, setWorkerIndex } from "./options.ts";

const link = findLink();
if (link === undefined) throw new Error("a worker of an Egg application is started by rollcall --egg, not by hand");
// Not awaited: Node takes the module for loaded, and the app says when it is ready.
runWorker(link).catch((error: unknown) => link.fail(error));

async function runWorker(link: Link): Promise<void> {
  const options = readEggOptions(process.env);
  setWorkerIndex(process.env, link);
  link.takeMessenger();
  const { Application } = await loadFramework(options);
  const app = new Application(options);
  link.onShutdown(() => app.close());
  const late = (): void => link.fail(new Error("the Egg application did not get ready within config.workerStartTimeout"));
  app.once("startTimeout", late);
  await untilReady(app);
  app.removeListener("startTimeout", late);
  serve(app, options, link);
}

/** In egg-cluster's order: the server, the event "server", then its addresses. */
function serve(app: EggApplication, options: EggOptions, link: Link): void {
  const { listen = {}, https: appHttps } = app.config.cluster ?? {};
  // What is given to Rollcall counts more than what the application says.
  const files = options.httpsFiles;
  const tls = files === undefined ? readTls({ ...appHttps, ...(options.https || {}) }) : readHttpsFiles(files);
  const port = options.port ?? listen.port;
  app.options.port = port as number;
  const server = tls === null ? http.createServer(app.callback()) : https.createServer(tls, app.callback());
  server.once("error", (error) => link.fail(error));
  takeOverFaults(app, link, () => app.emit("server", server));
  if (listen.path !== undefined && listen.path !== "") server.listen(listen.path);
  else if (typeof port !== "number") return link.fail(new TypeError(`port should be number, but got ${port}(${typeof port})`));
  else server.listen({ port, ...(listen.hostname ? { host: listen.hostname } : {}) });
  // The same application in the clear, for people.
  if (options.debugPort !== undefined) http.createServer(app.callback()).listen(options.debugPort);
}

/**
 * On the event "server" Egg lets the package graceful listen to uncaught exceptions: it would close the server, connections that are idle but in use with it, and the
 * channel. Rollcall's own way costs no request: replaced at once, what is in hand is finished, exit 1. Errors that Egg is told to ignore are still ignored.
 */
function takeOverFaults(app: EggApplication, link: Link, emit: () => void): void {
  const before = new Set(process.listeners("uncaughtException"));
  emit();
  const added = process.listeners("uncaughtException").filter((listener) => !before.has(listener));
  if (added.length === 0) return;
  for (const listener of added) process.off("uncaughtException", listener);
  const ignored = app.config.serverGracefulIgnoreCode ?? [];
  process.on("uncaughtException", (error: NodeJS.ErrnoException) => {
    app.coreLogger.error(error);
    if (error?.code === undefined || !ignored.includes(error.code)) link.fail(error);
  });
}

/** The files that the options name; null without a key and a certificate. */
function readTls({ key, cert, ca, passphrase }: Readonly<Record<string, string>>): https.ServerOptions | null {
  if (!key || !cert) return null;
  return {
    key: readFileSync(key),
    cert: readFileSync(cert),
    ...(ca ? { ca: readFileSync(ca) } : {}),
    ...(passphrase ? { passphrase } : {}),
  };
}
