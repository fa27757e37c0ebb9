// The same for Rollcall, as its agent and as its worker.
const http = require("node:http");
const handle = require("./handler.cjs");
const { startSender, startReceiver } = require("./messages.cjs");
const { messenger, role } = require("../../dist/runtime/app.js");

const carrier = {
  send: (to, action, data) => (to === "app" ? messenger.sendToApp(action, data) : messenger.sendToAgent(action, data)),
  on: (action, listener) => messenger.on(action, listener),
};
if (role === "agent") startSender(carrier);
else {
  startReceiver(carrier);
  http.createServer(handle).listen(Number(process.env.PORT));
}
