import { createClient } from "/client/ginauth.js";

const { api } = await (await fetch("/config.json")).json();
const mode = new URLSearchParams(location.search).get("mode") === "token" ? "token" : "session";
const auth = createClient({ baseURL: api, mode, onLogin: home, onLogout: home });

/** Signs in, and finds out whether the browser keeps the cookie. */
async function signIn(body) {
  const r = await auth.call(mode === "token" ? "issueTokens" : "login", { body });
  if (!r.ok) return r;
  if (!(await home()) && mode === "session") {
    say("The browser did not keep the cookie, because this page and the API are of different sites. Use tokens.");
  }
  return r;
}

/** Shows the tasks, or the form to sign in. It reports whether somebody is signed in. */
async function home() {
  const me = await auth.call("me");
  if (me.ok) {
    element("#name").textContent = me.data.user.name;
    show("tasks");
    await list();
  } else {
    show("sign-in");
    if (me.error.code !== "unauthenticated" && me.error.code !== "session_ended") say(me.error.message);
  }
  return me.ok;
}

/** Lists the tasks: a request to a route of the application's own. */
async function list() {
  const answer = await auth.fetch("/tasks");
  if (!answer.ok) return home();
  element("#list").replaceChildren(...(await answer.json()).map((task) => {
    const item = document.createElement("li");
    item.textContent = task.text;
    return item;
  }));
}

async function add(body) {
  const answer = await post("/tasks", body);
  if (!answer.ok) return { ok: false, error: await answer.json() };
  await list();
  return { ok: true };
}

/**
 * Posts to the address of the mailed link, whose query is a signature. Without the password, the one of the account ends,
 * unless the user is signed in or this browser has registered: somebody else may have done it.
 */
async function verify(body) {
  const answer = await post(location.pathname + location.search, body);
  const data = await answer.json();
  if (!answer.ok) return { ok: false, error: data };
  if (data.password_ended) leave("The email address is verified. Choose a password by the link that we have mailed now.");
  else leave("The email address is verified.");
  return { ok: true };
}

/** Reads the token of the mailed link from the fragment, which no server sees, and removes it from the history. */
const link = new URLSearchParams(location.pathname === "/new-password" ? location.hash.slice(1) : "");
if (link.has("token")) history.replaceState(null, "", location.pathname);

async function setPassword(body) {
  const r = await auth.call("resetPassword", { body: { ...body, email: link.get("email"), token: link.get("token") } });
  if (r.ok) leave("The new password is set: sign in.");
  return r;
}

async function signUp(body) {
  const r = await auth.call("register", { body });
  if (r.ok) leave("The account is there: sign in, and verify the email address by the link that we have mailed.");
  return r;
}

async function forgot(body) {
  const r = await auth.call("forgotPassword", { body });
  if (r.ok) leave("If there is such an account, a link is on its way.");
  return r;
}

// --- the page

function post(path, body) {
  return auth.fetch(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
}

function element(selector) {
  return document.querySelector(selector);
}

function say(text) {
  element("#message").textContent = text;
}

function show(name) {
  for (const section of document.querySelectorAll("main > section")) section.hidden = section.id !== name;
}

/** Goes to the start, without what was in the link. */
function leave(text) {
  history.replaceState(null, "", mode === "token" ? "/?mode=token" : "/");
  say(text);
  home();
}

/** Sends the form of a section, and shows errors beside their fields. */
function form(name, send) {
  const form = element(`#${name} form`);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    say("");
    const r = await send(Object.fromEntries(new FormData(form)));
    const errors = r.ok ? {} : r.error.errors ?? {};
    for (const input of form.querySelectorAll("input")) {
      const reasons = errors[input.name] ?? [];
      input.setAttribute("aria-invalid", String(reasons.length > 0));
      input.nextElementSibling.textContent = reasons.join(", ");
    }
    if (r.ok) form.reset();
    else say(r.error.message);
  });
}

form("sign-in", signIn);
form("sign-up", signUp);
form("forgot", forgot);
form("new-password", setPassword);
form("verify", verify);
form("tasks", add);
element("#reload").addEventListener("click", list);
element("#sign-out").addEventListener("click", async () => {
  await auth.call("logout");
  await home();
});
window.addEventListener("hashchange", () => show(location.hash.slice(1) || "sign-in"));
element("#mode").textContent = mode === "token" ? "This page keeps tokens in memory." : "This page uses a cookie.";

if (location.pathname === "/new-password") show("new-password");
else if (/^\/(verify|confirm)-email\//.test(location.pathname)) show("verify");
else if (location.pathname === "/forgot-password") show("forgot");
else await home();
document.body.dataset.ready = "true";
