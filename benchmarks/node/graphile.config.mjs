// PostGraphile as its documentation sets it up for tenants: each request runs under the role that row-level security
// holds for, with the tenant set in its transaction. (Whose tenant it is, it takes from a header: no token, no sign-in.)
// Columns without an index of their own may be filtered and ordered by, as ours may: otherwise it could not be asked
// for the same rows.
import { PostGraphileAmberPreset } from "postgraphile/presets/amber";
import { makePgService } from "postgraphile/adaptors/pg";

export default {
  extends: [PostGraphileAmberPreset],
  disablePlugins: ["PgIndexBehaviorsPlugin"],
  pgServices: [makePgService({ connectionString: process.env.DATABASE_URL, schemas: ["public"] })],
  grafserv: { host: "127.0.0.1", port: Number(process.env.PORT), watch: false, graphiql: false },
  grafast: {
    explain: false,
    context(request) {
      const tenant = request.node?.req.headers["x-tenant"];
      return { pgSettings: { role: "msp_request", "app.tenant_id": tenant } };
    },
  },
};
