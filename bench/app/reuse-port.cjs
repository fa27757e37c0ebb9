// One of several processes that know nothing of each other and share the port by SO_REUSEPORT.
const http = require("node:http");
const handle = require("./handler.cjs");

http.createServer(handle).listen({ port: Number(process.env.PORT), reusePort: true });
