/**
 * A client for the endpoints of ginauth's package routes. It has no dependency and keeps nothing in localStorage.
 *
 *     const auth = createClient({ baseURL: "" });
 *     const r = await auth.call("login", { body: { email, password } });
 *     if (r.ok) show(r.data.user); else if (r.error.code === "invalid_input") mark(r.error.errors);
 */
import { endpoints, type Operations, type TokenPair } from "./types.js";

export * from "./types.js";

/** What went wrong. The code tells which; the codes are those of the API, and "network" without an answer. */
export type AuthError =
  | { code: "invalid_input"; status: number; message: string; field: string; errors: Record<string, string[]> }
  | { code: "too_many_attempts"; status: number; message: string; retryAfter: number }
  | { code: "unavailable"; status: number; message: string; retryAfter: number }
  | { code: "step_up_required"; status: number; message: string; levels: string[]; maxAge?: number }
  | { code: "network"; status: 0; message: string; cause: unknown }
  | { code: OtherCode; status: number; message: string };

/** The codes without further fields. An API of your own may have more: compare with the texts. */
export type OtherCode =
  | "unauthenticated" | "session_ended" | "invalid_credentials" | "invalid_code" | "invalid_token" | "invalid_link"
  | "forbidden" | "cross_origin" | "email_not_verified" | "password_confirmation_required" | "second_factor_required"
  | "not_found" | "conflict" | "malformed" | "body_too_large" | "unsupported_media_type" | "internal_error" | "other";

/** The result of a call: calls never throw. */
export type Result<T> = { ok: true; status: number; data: T } | { ok: false; error: AuthError };

/** Where the tokens are kept. The default is memory: a reload needs a login, and no script finds a token in a store. */
export interface TokenStore {
  load(): TokenPair | null;
  save(pair: TokenPair | null): void;
}

export interface Options {
  /** The address of the API, as in "https://api.example". Default: that of the page. */
  baseURL?: string;
  /** "session" uses the cookie of the browser, "token" an access and a refresh token. Default "session". */
  mode?: "session" | "token";
  /** The paths of endpoints that are mounted elsewhere, as in { issueTokens: "/api/token" }. */
  paths?: { [N in keyof Operations]?: string };
  /** Where tokens are kept. */
  store?: TokenStore;
  /** The name of the channel that tabs share, or false: then each has tokens of its own. Default "ginauth". */
  channel?: string | false;
  /** Called when another tab has logged in: show what its user sees. */
  onLogin?: () => void;
  /** Called when the tokens are no longer valid: show the login form. */
  onLogout?: () => void;
  /** Default: the fetch of the platform. */
  fetch?: typeof fetch;
}

/** What an operation needs beside its name. */
type Input<N extends keyof Operations> = (Operations[N]["params"] extends undefined ? {} : { params: Operations[N]["params"] }) &
  (undefined extends Operations[N]["body"] ? { body?: Operations[N]["body"] } : { body: Operations[N]["body"] });

type Arguments<N extends keyof Operations> = {} extends Input<N> ? [input?: Input<N>] : [input: Input<N>];

export interface Client {
  /** Calls an endpoint. In token mode a login keeps its tokens, and expired ones are refreshed. */
  call<N extends keyof Operations>(name: N, ...input: Arguments<N>): Promise<Result<Operations[N]["result"]>>;
  /** Sends a request of your own as fetch does, with the credentials of the user, and once more after a refresh. */
  fetch(path: string, init?: RequestInit): Promise<Response>;
  /** The tokens, or null. */
  tokens(): TokenPair | null;
  /** Sets the tokens, for all tabs. */
  setTokens(pair: TokenPair | null): void;
  /** Closes the channel. */
  close(): void;
}

/** Endpoints whose 401 says nothing about the tokens of the request. */
const own = new Set<string>(["issueTokens", "refreshTokens", "login"]);

export function createClient(options: Options = {}): Client {
  const send = options.fetch ?? ((url: RequestInfo | URL, init?: RequestInit) => fetch(url, init));
  const token = options.mode === "token";
  const base = (options.baseURL ?? "").replace(/\/$/, "");
  let memory: TokenPair | null = null;
  const store: TokenStore = options.store ?? { load: () => memory, save: (pair) => { memory = pair; } };
  const name = options.channel ?? "ginauth";
  const channel = token && name && typeof BroadcastChannel !== "undefined" ? new BroadcastChannel(name) : null;
  let refreshing: Promise<boolean> | null = null;

  if (channel) {
    channel.onmessage = (event: MessageEvent<TokenPair | null>) => {
      const had = store.load();
      store.save(event.data);
      if (had && !event.data) options.onLogout?.();
      if (!had && event.data) options.onLogin?.();
    };
    // Node ends although the channel is open.
    (channel as unknown as { unref?: () => void }).unref?.();
  }

  function setTokens(pair: TokenPair | null): void {
    store.save(pair);
    channel?.postMessage(pair);
  }

  function path(operation: keyof Operations): string {
    return options.paths?.[operation] ?? endpoints[operation][1];
  }

  /** Lets one tab do it at a time, where the browser has locks. */
  async function alone<T>(work: () => Promise<T>): Promise<T> {
    const locks = typeof navigator === "undefined" ? undefined : navigator.locks;
    return locks && channel ? ((await locks.request(`${name}-refresh`, work)) as T) : work();
  }

  /** Replaces tokens of which the access token was refused, once for all who ask. It reports whether there are others. */
  function refresh(refused: string): Promise<boolean> {
    refreshing ??= alone(async () => {
      const pair = store.load();
      if (!pair) return false;
      if (pair.access_token !== refused) return true; // another tab was first
      const answer = await send(base + path("refreshTokens"), request("POST", { refresh_token: pair.refresh_token }));
      if (answer.ok) {
        setTokens((await answer.json()) as TokenPair);
        return true;
      }
      if (answer.status === 401 || answer.status === 422) {
        setTokens(null);
        options.onLogout?.();
      }
      return false;
    }).finally(() => { refreshing = null; });
    return refreshing;
  }

  function request(method: string, body?: unknown): RequestInit {
    const headers: Record<string, string> = { Accept: "application/json" };
    if (body === undefined) return { method, headers };
    headers["Content-Type"] = "application/json";
    return { method, headers, body: JSON.stringify(body) };
  }

  async function authorized(path: string, init: RequestInit = {}, retry = true): Promise<Response> {
    if (!token) return send(base + path, { credentials: "include", ...init });
    const used = store.load()?.access_token;
    const headers = new Headers(init.headers);
    if (used) headers.set("Authorization", `Bearer ${used}`);
    const answer = await send(base + path, { ...init, headers });
    if (answer.status !== 401 || !used || !retry || !(await refresh(used))) return answer;
    await answer.body?.cancel();
    headers.set("Authorization", `Bearer ${store.load()?.access_token}`);
    return send(base + path, { ...init, headers });
  }

  async function call<N extends keyof Operations>(name: N, ...[input]: Arguments<N>): Promise<Result<Operations[N]["result"]>> {
    const { params, body } = (input ?? {}) as { params?: Record<string, string>; body?: unknown };
    const target = path(name).replace(/\{(\w+)\}/g, (_, key: string) => encodeURIComponent(params?.[key] ?? ""));
    try {
      const answer = await authorized(target, request(endpoints[name][0], body), !own.has(name));
      const data: unknown = isJSON(answer) ? await answer.json() : undefined;
      if (!answer.ok) return { ok: false, error: errorOf(answer, data) };
      if (token && isPair(data)) setTokens(data);
      if (token && name === "logout") setTokens(null);
      return { ok: true, status: answer.status, data: data as Operations[N]["result"] };
    } catch (cause) {
      return { ok: false, error: { code: "network", status: 0, message: "The server cannot be reached.", cause } };
    }
  }

  return { call, fetch: authorized, tokens: () => store.load(), setTokens, close: () => channel?.close() };
}

function isJSON(answer: Response): boolean {
  return /^application\/(\S+\+)?json\b/.test(answer.headers.get("Content-Type") ?? "");
}

function isPair(data: unknown): data is TokenPair {
  return typeof data === "object" && data !== null && "access_token" in data && "refresh_token" in data;
}

/** errorOf returns the error that a response tells of. */
function errorOf(answer: Response, data: unknown): AuthError {
  const body = (typeof data === "object" && data !== null ? data : {}) as Record<string, unknown>;
  const status = answer.status;
  const code = String(body["code"] ?? "other") as AuthError["code"];
  const message = String(body["message"] ?? answer.statusText);
  const retryAfter = Number(answer.headers.get("Retry-After") ?? 1);
  switch (code) {
    case "invalid_input":
      return { code, status, message, field: String(body["field"] ?? ""), errors: (body["errors"] ?? {}) as Record<string, string[]> };
    case "too_many_attempts":
    case "unavailable":
      return { code, status, message, retryAfter };
    case "step_up_required": {
      const error: AuthError = { code, status, message, levels: (body["acr_values"] ?? []) as string[] };
      if (typeof body["max_age"] === "number") error.maxAge = body["max_age"];
      return error;
    }
    case "network":
      return { code: "other", status, message };
  }
  return { code, status, message };
}
