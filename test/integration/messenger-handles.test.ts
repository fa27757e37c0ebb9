// Sockets and servers that go with a letter, from the agent to workers.
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import net from "node:net";
import { test } from "node:test";
import { freePort } from "../helpers/ports.ts";
import { startService } from "../helpers/service.ts";
import { until } from "../helpers/until.ts";

/** What comes back for this word. */
async function say(port: number, word: string): Promise<string> {
  const socket = net.connect(port, "127.0.0.1");
  socket.write(word);
  let answer = "";
  for await (const chunk of socket) answer += String(chunk);
  return answer;
}

for (const how of ["the messenger", "process.send"] as const) {
  test(`a socket and a server sent by ${how} are the workers': no byte and no descriptor is lost on the way`, async (t) => {
    const [socketPort, serverPort] = [await freePort(), await freePort()];
    const env = { SOCKET_PORT: String(socketPort), SERVER_PORT: String(serverPort), ...(how === "process.send" ? { RAW: "1" } : {}) };
    const service = await startService(t, {
      app: "post-handles.mjs",
      agent: "post-handles.mjs",
      workers: 2,
      flags: ["--drain-idle", "100ms"],
      env,
    });
    await service.untilReady();
    const count = (pid: number): number => readdirSync(`/proc/${pid}/fd`).length;
    const master = (await service.status()).pid;
    assert.match(await say(socketPort, "first"), /^worker [01] read first on a socket$/);
    const before = count(master);
    const answers = await Promise.all(Array.from({ length: 50 }, (_, index) => say(socketPort, `word ${index}`)));
    for (const [index, answer] of answers.entries()) assert.match(answer, new RegExp(`^worker [01] read word ${index} on a socket$`));
    await until("the master has closed all copies", () => count(master) <= before);

    await fetch(service.url("/give"), { headers: { connection: "close" } });
    for (const slot of [0, 1]) await until(`worker ${slot} has it`, () => service.output().includes(`worker ${slot} has the server`));
    assert.equal(await (await fetch(service.url("/close"), { headers: { connection: "close" } })).text(), "true");
    for (const word of ["one", "two", "three"])
      assert.match(await say(serverPort, word), new RegExp(`^worker [01] read ${word} on a server$`));
    service.signal("SIGTERM");
    assert.equal((await service.exited()).code, 0, service.output());
  });
}
