/**
 * A Vue composable with the user.
 *
 *     app.provide(authKey, createAuth({ baseURL: "https://api.example.com" })); // or mode: "token"
 *
 *     const { state, faults, signIn } = useAuth();
 *
 *     <p v-if="state.error" role="alert">{{ state.error.message }}</p>
 *     <small v-for="fault in faults('email')">{{ fault }}</small>
 */
import { inject, shallowReactive, shallowReadonly, type InjectionKey } from "vue";
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

export const authKey: InjectionKey<Auth> = Symbol("auth");

/** Makes the one Auth of the application. */
export function createAuth(options: Options = {}) {
  const state = shallowReactive<State>({ user: undefined, pending: null, error: null });
  const set = (change: Partial<State>): void => void Object.assign(state, change);
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

  /** What is wrong with a field. */
  function faults(field: string): string[] {
    return state.error?.code === "invalid_input" ? state.error.errors[field] ?? [] : [];
  }

  void load();
  /** Requests of the application's own go through fetch, which refreshes an expired access token. */
  return { state: shallowReadonly(state), faults, load, signIn, answer, signOut, fetch: client.fetch };
}

export function useAuth(): Auth {
  const auth = inject(authKey);
  if (!auth) throw new Error("provide authKey first");
  return auth;
}
