// Notices WebSockets as they are made. A server with any listener for `upgrade` takes upgrades, so ours stands only beside one of the app's. Runs in a child.
import type { IncomingMessage } from "node:http";
import type { Server, Socket } from "node:net";

/** Calls back with the socket of every request for a WebSocket, before the app answers it. */
export function watchUpgrades(server: Server, noticed: (socket: Socket) => void): void {
  const onUpgrade = (request: IncomingMessage): void => {
    if (request.headers.upgrade?.toLowerCase() === "websocket") noticed(request.socket);
  };
  let stands = false;
  const stand = (wanted: boolean): void => {
    if (wanted === stands) return;
    stands = wanted;
    if (wanted) server.prependListener("upgrade", onUpgrade);
    else server.off("upgrade", onUpgrade);
  };
  stand(server.listenerCount("upgrade") > 0);
  // `newListener` comes before the listener is there, `removeListener` after it has gone.
  server.on("newListener", (event: string, listener: unknown) => {
    if (event === "upgrade" && listener !== onUpgrade) stand(true);
  });
  server.on("removeListener", (event: string, listener: unknown) => {
    if (event !== "upgrade") return;
    if (listener === onUpgrade) stands = false;
    else if (server.listenerCount("upgrade") === 1) stand(false);
  });
}
