// The agent keeps the time, every worker counts.
export default {
  schedule: { interval: "1s", type: "all" },
  task: ({ app }) => {
    app.ticks = (app.ticks ?? 0) + 1;
  },
};
