// The least that egg-cluster asks of a framework: an agent and an application that become ready, and a request handler.
const { EventEmitter } = require("node:events");
const handle = require("../handler.cjs");

class Ready extends EventEmitter {
  config = {};
  ready(callback) {
    setImmediate(callback);
  }
  async close() {}
}

exports.Agent = class extends Ready {};
exports.Application = class extends Ready {
  callback() {
    return handle;
  }
};
