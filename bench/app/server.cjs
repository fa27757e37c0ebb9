// The service as anybody would write it: what node, pm2, Watt and Rollcall are given.
const http = require("node:http");
const handle = require("./handler.cjs");

http.createServer(handle).listen(Number(process.env.PORT));
