export default (app) =>
  class extends app.Controller {
    index() {
      this.ctx.body = `hello, for the ${app.ticks ?? 0}th second`;
    }
  };
