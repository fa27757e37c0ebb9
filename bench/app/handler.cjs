// The one handler that every arm serves, so that all answer the same bytes. CommonJS, because every peer can load that.
const { threadId } = require("node:worker_threads");

let served = 0;

module.exports = function handle(request, response) {
  switch (request.url) {
    case "/":
      return answer(response, "hello");
    case "/cpu":
      burn(2);
      return answer(response, "hello");
    case "/mix-50":
      // Every hundredth request of a worker: the same share for every arm, and no luck in it.
      if (++served % 100 === 0) burn(50);
      return answer(response, "hello");
    case "/mix-200":
      if (++served % 100 === 0) burn(200);
      return answer(response, "hello");
    case "/who":
      // Long enough that the next connection goes to somebody else, where idle workers take turns.
      burn(3);
      return answer(response, `${process.pid}:${threadId}`);
    case "/slow":
      return void setTimeout(() => answer(response, "slow"), 2_000);
    case "/hang":
      for (;;);
    case "/orphan":
      // Its shell ends at once, and so does, a moment later, what that has started.
      return void require("node:child_process").exec("sleep 0.2 >/dev/null 2>&1 &", () => answer(response, "started"));
    default:
      response.writeHead(404);
      return response.end();
  }
};

function burn(ms) {
  const until = performance.now() + ms;
  while (performance.now() < until);
}

function answer(response, text) {
  response.writeHead(200, { "content-type": "text/plain", "content-length": Buffer.byteLength(text) });
  response.end(text);
}
