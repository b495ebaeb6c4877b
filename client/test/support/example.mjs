// Builds and runs the example, and sends requests to it with cookies.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

export const email = "alice@example.com";
export const password = "correct horse battery staple";

/** The user of the example with an authenticator app, whose code it shows at /_code. */
export const careful = "tess@example.com";

/** Where the example has the endpoints of tokens. */
export const paths = { issueTokens: "/api/token", refreshTokens: "/api/token/refresh", revokeToken: "/api/token/revoke" };

const root = new URL("../../..", import.meta.url).pathname;

let built = "";

/** Builds the example, once for all tests of a file. */
function build() {
  if (built) return built;
  const dir = mkdtempSync(join(tmpdir(), "ginauth-client-"));
  process.once("exit", () => rmSync(dir, { recursive: true, force: true }));
  const run = spawnSync("go", ["build", "-o", join(dir, "example"), "./example"], { cwd: root, encoding: "utf8" });
  assert.equal(run.status, 0, run.stderr);
  return (built = join(dir, "example"));
}

/** Starts the example with a new database. */
export async function startExample() {
  const command = build();
  const dir = mkdtempSync(join(tmpdir(), "ginauth-client-"));
  const args = ["-addr", "127.0.0.1:0", "-db", join(dir, "example.db")];
  const program = spawn(command, args, { env: { ...process.env, GIN_MODE: "test" }, stdio: ["ignore", "pipe", "ignore"] });
  let baseURL = "";
  for await (const line of createInterface({ input: program.stdout })) {
    baseURL = line.replace("listening on ", "");
    break;
  }
  program.stdout.resume();
  const stop = () => {
    program.kill("SIGTERM");
    rmSync(dir, { recursive: true, force: true });
  };
  return { baseURL, stop };
}

/** browser returns a fetch with cookies, and the requests that it sent. */
export function browser() {
  const jar = new Map();
  const sent = [];
  const send = async (url, init = {}) => {
    const headers = new Headers(init.headers);
    headers.set("Cookie", [...jar].map(([name, value]) => `${name}=${value}`).join("; "));
    sent.push(`${init.method ?? "GET"} ${new URL(url).pathname}`);
    const answer = await fetch(url, { ...init, headers });
    for (const cookie of answer.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(cookie);
      value === "" ? jar.delete(name) : jar.set(name, value);
    }
    return answer;
  };
  return { send, sent };
}

/** The code that the app of the careful user shows. */
export async function codeOf(baseURL) {
  const page = await (await fetch(baseURL + "/_code", { headers: { Accept: "text/html" } })).text();
  return /\b(\d{6})\b/.exec(page.replace(/<head>.*<\/head>/s, ""))[1];
}
