export default (app) => app.router.get("/", "home.index");
