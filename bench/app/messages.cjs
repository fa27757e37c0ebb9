// The two ends of the bench of messages, whatever carries them: the agent sends to the worker as fast as it is read, never further ahead than a window; the
// worker counts. `send(to, action, data)` and `on(action, listener)` are the carrier's.
const BYTES = Number(process.env.MESSAGE_BYTES);
const SECONDS = Number(process.env.MESSAGE_SECONDS);
const WARM_UP_MS = 1_000;
const WINDOW = BYTES > 1_000 ? 256 : 2_048;

exports.startSender = ({ send, on }) => {
  const data = { id: 0, text: "x".repeat(Math.max(0, BYTES - JSON.stringify({ id: 0, text: "" }).length)) };
  let ahead = 0;
  let isStarted = false;
  const fill = () => {
    for (; ahead < WINDOW; ahead++) send("app", "load", data);
  };
  on("begin", () => {
    if (!isStarted) fill();
    isStarted = true;
  });
  on("taken", (count) => {
    ahead -= count;
    fill();
  });
};

exports.startReceiver = ({ send, on }) => {
  let count = 0;
  let begunAt = 0;
  // The agent may not listen yet.
  const asking = setInterval(() => send("agent", "begin"), 100);
  on("load", ({ text }) => {
    if (text.length < 50) throw new Error("this is not what was sent");
    if (count === 0) clearInterval(asking);
    count++;
    if (count % (WINDOW / 8) === 0) send("agent", "taken", WINDOW / 8);
    if (begunAt === 0) {
      begunAt = performance.now();
      setTimeout(measure, WARM_UP_MS);
    }
  });
  const measure = () => {
    console.log("MEASURE BEGINS");
    const [before, at] = [count, performance.now()];
    setTimeout(() => {
      console.log(`RESULT ${JSON.stringify({ perSecond: ((count - before) * 1_000) / (performance.now() - at) })}`);
    }, SECONDS * 1_000);
  };
};
