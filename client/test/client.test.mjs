// Tests the client against the example, which it builds and runs.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { gzipSync } from "node:zlib";
import { createClient } from "../dist/ginauth.js";
import { browser, email, password, paths, startExample } from "./support/example.mjs";

let example, baseURL;

before(async () => {
  example = await startExample();
  baseURL = example.baseURL;
});

after(() => example?.stop());

function tokens(more = {}) {
  const { send, sent } = browser();
  return { sent, client: createClient({ baseURL, mode: "token", paths, channel: false, fetch: send, ...more }) };
}

test("a session", async () => {
  const auth = createClient({ baseURL, fetch: browser().send });
  const nobody = await auth.call("me");
  assert.equal(nobody.ok, false);
  assert.equal(nobody.error.code, "unauthenticated");
  assert.equal((await auth.call("login", { body: { email, password } })).data.user.email, email);
  assert.equal((await auth.call("me")).data.user.name, "Alice");
  const devices = await auth.call("devices");
  assert.equal(devices.data.devices.filter((d) => d.current).length, 1);
  const made = await auth.call("createToken", { body: { name: "deploy", abilities: ["posts:read"] } });
  assert.equal(made.status, 201);
  assert.equal((await auth.call("deleteToken", { params: { id: made.data.id } })).ok, true);
  assert.equal((await auth.call("logout")).ok, true);
  assert.equal((await auth.call("me")).error.code, "unauthenticated");
});

test("errors", async () => {
  const auth = createClient({ baseURL, fetch: browser().send });
  const wrong = await auth.call("login", { body: { email, password: "wrong" } });
  assert.equal(wrong.error.code, "invalid_credentials");
  const faults = await auth.call("register", { body: { name: "", email: "x", password: "short" } });
  assert.equal(faults.error.code, "invalid_input");
  assert.deepEqual(Object.keys(faults.error.errors).sort(), ["email", "name", "password"]);
  assert.equal(faults.error.field, "name");
  const gone = createClient({ baseURL: "http://127.0.0.1:1" });
  assert.equal((await gone.call("me")).error.code, "network");
  let limited;
  for (let i = 0; i < 10; i++) limited = await auth.call("login", { body: { email: "bob@example.com", password: "wrong" } });
  assert.equal(limited.error.code, "too_many_attempts");
  assert.ok(limited.error.retryAfter > 0);
});

test("a second factor", async () => {
  const auth = createClient({ baseURL, fetch: browser().send });
  const r = await auth.call("login", { body: { email: "tess@example.com", password } });
  assert.deepEqual(r.data.pending.factors, ["totp"]);
});

test("tokens are refreshed once for many calls", async () => {
  const { client, sent } = tokens();
  assert.equal((await client.call("issueTokens", { body: { email, password } })).ok, true);
  assert.equal((await client.call("me")).data.user.email, email);
  client.setTokens({ ...client.tokens(), access_token: client.tokens().access_token + "x" });
  const all = await Promise.all(Array.from({ length: 20 }, () => client.call("me")));
  assert.ok(all.every((r) => r.ok));
  assert.equal(sent.filter((s) => s.endsWith("/token/refresh")).length, 1);
  assert.equal((await client.fetch("/api/posts")).status, 200);
  assert.equal((await client.call("logout")).ok, true);
  assert.equal(client.tokens(), null);
});

test("tokens that have ended log out", async () => {
  let told = 0;
  const { client, sent } = tokens({ onLogout: () => told++ });
  await client.call("issueTokens", { body: { email, password } });
  client.setTokens({ ...client.tokens(), access_token: "x", refresh_token: "x" });
  assert.equal((await client.call("me")).error.code, "unauthenticated");
  assert.equal(client.tokens(), null);
  assert.equal(told, 1);
  assert.equal(sent.filter((s) => s.endsWith("/token/refresh")).length, 1);
});

test("tabs share tokens", async () => {
  const one = tokens({ channel: "tabs" }), two = tokens({ channel: "tabs" });
  await one.client.call("issueTokens", { body: { email, password } });
  for (let i = 0; i < 200 && !two.client.tokens(); i++) await new Promise((done) => setTimeout(done, 10));
  assert.equal((await two.client.call("me")).ok, true);
  one.client.setTokens({ ...one.client.tokens(), access_token: "x" });
  for (let i = 0; i < 200 && two.client.tokens().access_token !== "x"; i++) await new Promise((done) => setTimeout(done, 10));
  assert.equal((await two.client.call("me")).ok, true);
  for (let i = 0; i < 200 && one.client.tokens().access_token === "x"; i++) await new Promise((done) => setTimeout(done, 10));
  assert.equal((await one.client.call("me")).ok, true);
  assert.equal(one.sent.concat(two.sent).filter((s) => s.endsWith("/token/refresh")).length, 1);
  one.client.close();
  two.client.close();
});

test("it is small", () => {
  const size = ["ginauth.js", "types.js"].map((f) => gzipSync(readFileSync(new URL(`../dist/${f}`, import.meta.url))).length);
  assert.ok(size[0] + size[1] < 6 * 1024, `${size} bytes`);
});
