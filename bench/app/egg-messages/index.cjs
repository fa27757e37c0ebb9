// The least of a framework whose agent and app send each other messages as egg's own messenger does: process.send with a destination.
const { EventEmitter } = require("node:events");
const handle = require("../handler.cjs");
const { startSender, startReceiver } = require("../messages.cjs");

const heard = new EventEmitter();
const carrier = {
  send: (to, action, data) => process.send({ action, data, to }),
  on: (action, listener) => heard.on(action, listener),
};

class Ready extends EventEmitter {
  config = {};
  constructor(start) {
    super();
    process.on("message", ({ action, data }) => heard.emit(action, data));
    start(carrier);
  }
  ready(callback) {
    setImmediate(callback);
  }
  async close() {}
}

exports.Agent = class extends Ready {
  constructor() {
    super(startSender);
  }
};
exports.Application = class extends Ready {
  constructor() {
    super(startReceiver);
  }
  callback() {
    return handle;
  }
};
