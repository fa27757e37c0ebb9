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
