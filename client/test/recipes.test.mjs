// Runs the recipes against the example: React in a DOM, Vue, and plain fetch.
import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { Window } from "happy-dom";
import { browser, careful, codeOf, email, password, paths, startExample } from "./support/example.mjs";

let example, baseURL;

// One example for each: a code of the app is good for one use.
beforeEach(async () => {
  example = await startExample();
  baseURL = example.baseURL;
});

afterEach(() => example?.stop());

/** A store of tokens that a test can look into. */
function shelf() {
  let pair = null;
  return { load: () => pair, save: (next) => { pair = next; } };
}

test("React", async () => {
  const window = new Window({ url: baseURL });
  const browserHas = { window, document: window.document, navigator: window.navigator, FormData: window.FormData };
  for (const [name, value] of Object.entries({ ...browserHas, IS_REACT_ACT_ENVIRONMENT: true })) {
    Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
  }
  const { act, createElement } = await import("react");
  const { createRoot } = await import("react-dom/client");
  const { AuthProvider, SignIn, createAuth, useAuth } = await import("../build/recipes/react.js");
  const auth = createAuth({ baseURL, fetch: browser().send });
  function App() {
    const { user } = useAuth();
    return createElement("main", null, user === undefined ? "loading" : user ? `Hello ${user.name}` : createElement(SignIn));
  }
  const { document } = window;
  const root = createRoot(document.body.appendChild(document.createElement("div")));
  const shows = async (text) => {
    for (let i = 0; i < 500 && !document.body.textContent.includes(text); i++) {
      await act(() => new Promise((done) => setTimeout(done, 10)));
    }
    assert.ok(document.body.textContent.includes(text), `it shows ${document.body.textContent}, not ${text}`);
  };
  const submit = async (fields) => {
    for (const [name, value] of Object.entries(fields)) document.querySelector(`[name=${name}]`).value = value;
    await act(async () => document.querySelector("form").requestSubmit());
  };
  await act(async () => root.render(createElement(AuthProvider, { auth }, createElement(App))));
  await shows("Email address");
  await submit({ email: "", password: "" });
  await shows("is required");
  assert.equal(document.querySelector("[name=email]").getAttribute("aria-invalid"), "true");
  await submit({ email: careful, password: "wrong" });
  await shows("do not match");
  await submit({ email: careful, password });
  await shows("Code from your authenticator app");
  await submit({ code: "000000" });
  await shows("code");
  assert.ok(document.querySelector("[role=alert]"), "a wrong code is told");
  await submit({ code: await codeOf(baseURL) });
  await shows("Hello Tess");
  assert.equal((await auth.fetch("/posts")).status, 200);
  await act(() => auth.signOut());
  await shows("Email address");
  await act(async () => root.unmount());
});

test("Vue", async () => {
  const { createSSRApp, effect } = await import("vue");
  const { authKey, createAuth, useAuth } = await import("../build/recipes/vue.js");
  const store = shelf();
  const { send, sent } = browser();
  const auth = createAuth({ baseURL, mode: "token", paths, channel: false, store, fetch: send });
  const app = createSSRApp({ render: () => null });
  app.provide(authKey, auth);
  const { state, faults, signIn, answer, signOut, load } = app.runWithContext(useAuth);
  const names = [];
  effect(() => names.push(state.user?.name ?? null));
  await signIn("", "");
  assert.equal(faults("email").length, 1);
  assert.deepEqual(faults("name"), []);
  await signIn(careful, "wrong");
  assert.equal(state.error.code, "invalid_credentials");
  await signIn(careful, password);
  assert.deepEqual(state.pending.factors, ["totp"]);
  await answer("000000");
  assert.equal(state.error.code, "invalid_code");
  await answer(await codeOf(baseURL));
  assert.equal(state.user.name, "Tess");
  assert.equal(state.pending, null);
  assert.equal(names.at(-1), "Tess"); // the effect has run
  store.save({ ...store.load(), access_token: "expired" });
  assert.equal((await auth.fetch("/api/posts")).status, 200);
  assert.equal(sent.filter((s) => s.endsWith("/token/refresh")).length, 1);
  store.save({ ...store.load(), access_token: "ended", refresh_token: "ended" });
  await load();
  assert.equal(state.user, null);
  await signIn(email, password);
  assert.equal(state.user.name, "Alice");
  await signOut();
  assert.equal(state.user, null);
  assert.equal(store.load(), null);
});

test("plain fetch", async () => {
  const { createAPI } = await import("../build/recipes/fetch.js");
  const sent = [], refused = [];
  let spoil = 0;
  const api = createAPI(baseURL, async (url, init) => {
    const target = url.replace(`${baseURL}/token`, `${baseURL}/api/token`); // where the example has it
    sent.push(target);
    if (spoil === 0 || !init.headers.Authorization) return fetch(target, init);
    spoil--;
    init.headers.Authorization += "x"; // as if it had expired
    const answer = await fetch(target, init);
    // All learn of it at once.
    await new Promise((go) => refused.push(go));
    return answer;
  });
  const spoilt = async (n) => {
    while (refused.length < n) await new Promise((done) => setTimeout(done, 5));
    for (const go of refused.splice(0)) go();
  };
  const fails = (promise, status, code) => assert.rejects(promise, (error) => error.status === status && error.code === code);
  await assert.rejects(api.signIn("", ""), (error) => error.code === "invalid_input" && error.errors.email.length === 1);
  await fails(api.signIn(careful, "wrong"), 401, "invalid_credentials");
  const pending = await api.signIn(careful, password);
  assert.deepEqual(pending.factors, ["totp"]);
  await fails(api.answer(pending.token, "000000"), 401, "invalid_code");
  assert.equal(await api.answer(pending.token, await codeOf(baseURL)), null);
  const me = () => api.request("GET", "/me");
  assert.equal((await me()).user.name, "Tess");
  spoil = 3;
  const [all] = await Promise.all([Promise.all([me(), me(), me()]), spoilt(3)]);
  assert.ok(all.every((data) => data.user.name === "Tess"));
  assert.equal(sent.filter((url) => url.endsWith("/token/refresh")).length, 1);
  const former = api.tokens().refresh_token;
  await api.signOut();
  assert.equal(api.tokens(), null);
  await fails(me(), 401, "unauthenticated");
  await fails(api.request("POST", "/token/refresh", { refresh_token: former }), 401, "invalid_token");
});
