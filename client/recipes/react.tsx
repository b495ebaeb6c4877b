/**
 * A React context with the user, and a form to sign in.
 *
 *     const auth = createAuth({ baseURL: "https://api.example.com" }); // or mode: "token"
 *     root.render(<AuthProvider auth={auth}><App /></AuthProvider>);
 *
 *     const { user, signOut } = useAuth();
 *     if (user === undefined) return <Loading />;
 *     return user ? <Home /> : <SignIn />;
 */
import { createContext, useContext, useEffect, useSyncExternalStore, type FormEvent, type ReactNode } from "react";
import { createClient, type AuthError, type Options, type PendingLogin, type User } from "@ginauth/client";

interface State {
  /** The user, null if nobody is signed in, and undefined until that is known. */
  user: User | null | undefined;
  /** A login that waits for a second factor. */
  pending: PendingLogin | null;
  /** What was wrong with the last call. */
  error: AuthError | null;
}

export type Auth = ReturnType<typeof createAuth>;

/** Makes the one Auth of the application. */
export function createAuth(options: Options = {}) {
  let state: State = { user: undefined, pending: null, error: null };
  const listeners = new Set<() => void>();
  function set(change: Partial<State>): void {
    state = { ...state, ...change };
    for (const tell of listeners) tell();
  }
  const client = createClient({ ...options, onLogin: () => void load(), onLogout: () => set({ user: null }) });

  async function load(): Promise<void> {
    const r = await client.call("me");
    if (r.ok) set({ user: r.data.user, pending: null, error: null });
    else if (r.error.status === 401) set({ user: null });
    else set({ error: r.error }); // an outage is no sign-out
  }

  async function signIn(email: string, password: string): Promise<void> {
    const body = { email, password };
    const r = await (options.mode === "token" ? client.call("issueTokens", { body }) : client.call("login", { body }));
    if (!r.ok) set({ error: r.error });
    else if ("pending" in r.data) set({ pending: r.data.pending, error: null });
    else await load();
  }

  /** Completes a pending login by the code of an authenticator app. */
  async function answer(code: string): Promise<void> {
    const r = await client.fetch("/login/totp", {
      method: "POST",
      headers: { "Content-Type": "application/json", Accept: "application/json" },
      body: JSON.stringify({ token: state.pending?.token, code }),
    });
    const data = await r.json();
    if (!r.ok) return set({ error: { ...data, status: r.status } });
    if ("access_token" in data) client.setTokens(data);
    await load();
  }

  async function signOut(): Promise<void> {
    const r = await client.call("logout");
    if (r.ok || r.error.status === 401) set({ user: null, error: null });
    else set({ error: r.error });
  }

  function subscribe(listener: () => void): () => void {
    listeners.add(listener);
    return () => listeners.delete(listener);
  }

  /** Requests of the application's own go through fetch, which refreshes an expired access token. */
  return { load, signIn, answer, signOut, fetch: client.fetch, subscribe, snapshot: () => state };
}

const Context = createContext<Auth | null>(null);

export function AuthProvider({ auth, children }: { auth: Auth; children: ReactNode }) {
  useEffect(() => void auth.load(), [auth]);
  return <Context.Provider value={auth}>{children}</Context.Provider>;
}

export function useAuth(): Auth & State {
  const auth = useContext(Context);
  if (!auth) throw new Error("useAuth needs an AuthProvider around it");
  return { ...auth, ...useSyncExternalStore(auth.subscribe, auth.snapshot) };
}

/** A field with what is wrong with it. */
function Field({ name, type, label, complete }: { name: string; type: string; label: string; complete: string }) {
  const { error } = useAuth();
  const faults = error?.code === "invalid_input" ? error.errors[name] ?? [] : [];
  return (
    <label>
      {label} <input name={name} type={type} autoComplete={complete} aria-invalid={faults.length > 0} />
      {faults.map((fault) => <small key={fault}>{fault}</small>)}
    </label>
  );
}

/** A form to sign in, which asks for a code if one is due. */
export function SignIn() {
  const { pending, error, signIn, answer } = useAuth();
  function submit(event: FormEvent<HTMLFormElement>): void {
    event.preventDefault();
    const text = (name: string) => String(new FormData(event.currentTarget).get(name) ?? "");
    void (pending ? answer(text("code")) : signIn(text("email"), text("password")));
  }
  return (
    <form onSubmit={submit}>
      {error && <p role="alert">{error.message}</p>}
      {pending ? (
        <Field name="code" type="text" label="Code from your authenticator app" complete="one-time-code" />
      ) : (
        <>
          <Field name="email" type="email" label="Email address" complete="username" />
          <Field name="password" type="password" label="Password" complete="current-password" />
        </>
      )}
      <button>Sign in</button>
    </form>
  );
}
