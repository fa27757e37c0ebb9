import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isSocketIo, SocketIo } from "../../../../src/runtime/messages/socket-io.ts";

const said = (fields: object): object => ({ source: "_sio_adapter", nsp: "/", ...fields });

describe("an answer of socket.io's", () => {
  it("is for whom its asker was last heard from", () => {
    const socketIo = new SocketIo();
    socketIo.heard(said({ type: 7, uid: "a" }), 100);
    socketIo.heard(said({ type: 7, uid: "b" }), 200);
    assert.equal(socketIo.receiverOf(said({ type: 8, uid: "c", requesterUid: "a" })), 100);
    socketIo.heard(said({ type: 7, uid: "a" }), 300);
    assert.equal(socketIo.receiverOf(said({ type: 8, uid: "c", requesterUid: "a" })), 300);
  });

  it("is for all where nobody has heard of the asker, as is whatever is no answer", () => {
    const socketIo = new SocketIo();
    socketIo.heard(said({ type: 3, uid: "a" }), 100);
    for (const message of [said({ requesterUid: "b" }), said({ requesterUid: 1 }), said({ uid: "a" })])
      assert.equal(socketIo.receiverOf(message), 0);
  });

  it("needs no more memory than for so many askers, the last ones", () => {
    const socketIo = new SocketIo();
    for (let index = 0; index < 20_000; index++) {
      socketIo.heard(said({ uid: "often" }), 1);
      socketIo.heard(said({ uid: `${index}` }), 2);
    }
    const known = Array.from({ length: 20_000 }, (_, index) => socketIo.receiverOf(said({ requesterUid: `${index}` })));
    assert.equal(known.indexOf(2), 10_001);
    assert.equal(known.at(-1), 2);
    assert.equal(socketIo.receiverOf(said({ requesterUid: "often" })), 1);
  });

  it("is told from everything else", () => {
    const socketIo = new SocketIo();
    for (const other of [null, undefined, 1, "x", {}, { uid: "a" }, { source: "other", uid: "a" }, said({ uid: 1 })]) {
      socketIo.heard(other, 100);
      assert.equal(isSocketIo(other), (other as { source?: string } | null | undefined)?.source === "_sio_adapter");
    }
    assert.equal(socketIo.receiverOf(said({ requesterUid: "a" })), 0);
  });
});
