/**
 * Tokens with plain fetch, without the client. It keeps them in memory, for one tab.
 *
 *     const api = createAPI("https://api.example.com");
 *     const pending = await api.signIn(email, password); // throws a Failure
 *     if (pending) await api.answer(pending.token, code);
 *     const { user } = await api.request("GET", "/me");
 */

/** What the API says about an error. Without an answer, fetch throws a TypeError. */
export class Failure extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    /** What is wrong with which field, for the code "invalid_input". */
    readonly errors: Record<string, string[]> = {},
    /** The seconds to wait, for the status 429 or 503. */
    readonly retryAfter = 0,
  ) {
    super(message);
  }
}

interface Tokens {
  access_token: string;
  refresh_token: string;
}

export function createAPI(base: string, send: typeof fetch = (url, init) => fetch(url, init)) {
  let tokens: Tokens | null = null;
  let refreshing: Promise<boolean> | null = null;

  function once(method: string, path: string, body?: unknown, access = tokens?.access_token): Promise<Response> {
    const headers: Record<string, string> = { Accept: "application/json" };
    if (body !== undefined) headers["Content-Type"] = "application/json";
    if (access) headers["Authorization"] = `Bearer ${access}`;
    return send(base + path, { method, headers, ...(body !== undefined && { body: JSON.stringify(body) }) });
  }

  /** Replaces the tokens, once for all requests that wait for it: a refresh token works once. */
  function refresh(): Promise<boolean> {
    refreshing ??= (async () => {
      const answer = await once("POST", "/token/refresh", { refresh_token: tokens?.refresh_token }, "");
      if (answer.ok) tokens = await answer.json();
      else if (answer.status === 401 || answer.status === 422) tokens = null; // else it is an outage: try again later
      return answer.ok;
    })().finally(() => { refreshing = null; });
    return refreshing;
  }

  /** Sends a request, and once more after a refresh. */
  async function request(method: string, path: string, body?: unknown): Promise<any> {
    const used = tokens;
    let answer = await once(method, path, body);
    if (answer.status === 401 && used && (tokens !== used || (await refresh()))) answer = await once(method, path, body);
    const data = answer.status === 204 ? undefined : await answer.json();
    if (answer.ok) return data;
    throw new Failure(answer.status, data.code, data.message, data.errors, Number(answer.headers.get("Retry-After") ?? 0));
  }

  /** Keeps tokens, or returns a login that waits for a second factor. */
  function complete(data: Tokens & { pending?: { token: string; factors: string[] } }) {
    if (data.pending) return data.pending;
    tokens = data;
    return null;
  }

  return {
    request,
    signIn: async (email: string, password: string) => complete(await request("POST", "/token", { email, password })),
    /** Completes a pending login by the code of an authenticator app. */
    answer: async (token: string, code: string) => complete(await request("POST", "/login/totp", { token, code })),
    signOut: async () => {
      const ended = (failure: Failure) => { if (failure.status !== 401) throw failure; };
      if (tokens) await request("POST", "/logout").catch(ended);
      tokens = null;
    },
    tokens: () => tokens,
  };
}
