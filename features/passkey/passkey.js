// Passkeys for pages: registration, login, the second factor, and what browsers are told of passkeys that changed.
// Elements with the attribute data-passkey work by themselves, see docs/passkeys.md. Scripts use window.ginauthPasskeys.
"use strict";
(() => {
  const here = document.currentScript;
  const base = here ? new URL(here.src, location.href).pathname.replace(/\/passkeys\.js$/, "") : "";
  const supported = typeof PublicKeyCredential === "function" && !!navigator.credentials;
  // Options that wait for the user longer than a challenge is valid are asked for again.
  const renewAfter = 4 * 60 * 1000;
  let waiting = null; // the AbortController of the conditional request

  class Failure extends Error {
    constructor(status, body) {
      super(body.message || "The request failed.");
      this.name = "PasskeyFailure";
      this.status = status;
      this.code = body.code || "";
      this.body = body;
    }
  }

  async function call(method, path, body, quiet) {
    const response = await fetch(base + path, {
      method,
      credentials: "same-origin",
      headers: Object.assign({ Accept: "application/json" }, body && { "Content-Type": "application/json" }),
      body: body && JSON.stringify(body),
    });
    const text = await response.text();
    let answer = {};
    try {
      answer = text ? JSON.parse(text) : {};
    } catch {
      answer = {}; // a page of a proxy
    }
    if (!quiet) {
      await signal(answer.signals);
    }
    if (!response.ok) {
      throw new Failure(response.status, answer);
    }
    return answer;
  }

  function decode(text) {
    const plain = atob(text.replace(/-/g, "+").replace(/_/g, "/"));
    return Uint8Array.from(plain, (c) => c.charCodeAt(0)).buffer;
  }

  function encode(buffer) {
    let plain = "";
    for (const byte of new Uint8Array(buffer)) {
      plain += String.fromCharCode(byte);
    }
    return btoa(plain).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  }

  // The two functions of browsers that have none of their own.
  function parse(options) {
    const ids = (list) => (list || []).map((d) => Object.assign({}, d, { id: decode(d.id) }));
    const parsed = Object.assign({}, options, { challenge: decode(options.challenge) });
    if (options.user) {
      parsed.user = Object.assign({}, options.user, { id: decode(options.user.id) });
      parsed.excludeCredentials = ids(options.excludeCredentials);
    } else {
      parsed.allowCredentials = ids(options.allowCredentials);
    }
    return parsed;
  }

  function plain(credential) {
    if (typeof credential.toJSON === "function") {
      return credential.toJSON();
    }
    const from = credential.response;
    const response = { clientDataJSON: encode(from.clientDataJSON) };
    for (const name of ["attestationObject", "authenticatorData", "signature", "userHandle"]) {
      if (from[name]) {
        response[name] = encode(from[name]);
      }
    }
    if (typeof from.getTransports === "function") {
      response.transports = from.getTransports();
    }
    return {
      id: credential.id,
      rawId: encode(credential.rawId),
      type: credential.type,
      authenticatorAttachment: credential.authenticatorAttachment || undefined,
      clientExtensionResults: {},
      response,
    };
  }

  function stopWaiting() {
    if (waiting) {
      waiting.abort();
      waiting = null;
    }
  }

  // ask lets the browser answer a ceremony, and returns what completes it.
  async function ask(begun, more) {
    let credential;
    if (begun.publicKey.user) {
      const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON
        ? PublicKeyCredential.parseCreationOptionsFromJSON(begun.publicKey)
        : parse(begun.publicKey);
      credential = await navigator.credentials.create({ publicKey });
    } else {
      const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON
        ? PublicKeyCredential.parseRequestOptionsFromJSON(begun.publicKey)
        : parse(begun.publicKey);
      credential = await navigator.credentials.get(Object.assign({ publicKey }, more));
    }
    return { ceremony: begun.ceremony, credential: plain(credential) };
  }

  async function register(name) {
    stopWaiting();
    const answer = await ask(await call("POST", "/passkeys/options"));
    return call("POST", "/passkeys", Object.assign(answer, name ? { name } : {}));
  }

  async function login(options) {
    const { identifier = "", remember = false } = options || {};
    stopWaiting();
    const answer = await ask(await call("POST", "/login/passkey/options", { identifier }));
    return call("POST", "/login/passkey", Object.assign(answer, { identifier, remember }));
  }

  // conditional offers passkeys in the field with autocomplete="username webauthn", until the user chooses one. It returns
  // what login does, or null if something else asked for a passkey, or the browser cannot do it.
  async function conditional(options) {
    const remember = () => !!(options && (typeof options.remember === "function" ? options.remember() : options.remember));
    if (!supported || !PublicKeyCredential.isConditionalMediationAvailable ||
        !(await PublicKeyCredential.isConditionalMediationAvailable())) {
      return null;
    }
    for (;;) {
      const begun = await call("POST", "/login/passkey/options", {});
      stopWaiting();
      const mine = new AbortController();
      waiting = mine;
      let renewed = false;
      const timer = setTimeout(() => {
        renewed = true;
        mine.abort();
      }, renewAfter);
      try {
        const answer = await ask(begun, { mediation: "conditional", signal: mine.signal });
        return await call("POST", "/login/passkey", Object.assign(answer, { remember: remember() }));
      } catch (failure) {
        if (mine.signal.aborted && !renewed) {
          return null;
        }
        if (!renewed) {
          throw failure;
        }
      } finally {
        clearTimeout(timer);
        if (waiting === mine) {
          waiting = null;
        }
      }
    }
  }

  async function second(token, options) {
    const { trust = false } = options || {};
    const named = token ? { token } : {};
    const answer = await ask(await call("POST", "/login/passkey/second/options", named));
    return call("POST", "/login/passkey/second", Object.assign(answer, named, { trust }));
  }

  async function confirm() {
    return call("POST", "/passkeys/confirm", await ask(await call("POST", "/passkeys/confirm/options")));
  }

  // A list that is read while another tab registers a passkey does not have it: the browser is not told to forget it.
  const list = () => call("GET", "/passkeys", undefined, true);
  const rename = (id, name) => call("PATCH", "/passkeys/" + encodeURIComponent(id), { name });
  const remove = (id) => call("DELETE", "/passkeys/" + encodeURIComponent(id));

  // signal tells the browser of passkeys that are unknown, were removed or belong to a user with another name. A browser
  // that does not listen is no fault.
  async function signal(signals) {
    if (!signals || !supported) {
      return;
    }
    for (const [name, tell] of [
      ["unknown_credential", "signalUnknownCredential"],
      ["accepted_credentials", "signalAllAcceptedCredentials"],
      ["current_user", "signalCurrentUserDetails"],
    ]) {
      try {
        if (signals[name] && typeof PublicKeyCredential[tell] === "function") {
          await PublicKeyCredential[tell](signals[name]);
        }
      } catch {
        // it is a hint
      }
    }
  }

  window.ginauthPasskeys = { supported, register, login, conditional, second, confirm, list, rename, remove, signal, Failure };

  // What follows serves elements with data-passkey.

  const value = (element, attribute) => {
    const selector = element.getAttribute(attribute);
    const field = selector && document.querySelector(selector);
    return field ? (field.type === "checkbox" ? field.checked : field.value) : undefined;
  };

  const actions = {
    login: (e) => login({ identifier: value(e, "data-passkey-identifier"), remember: value(e, "data-passkey-remember") }),
    register: (e) => register(value(e, "data-passkey-name")),
    second: (e) => second("", { trust: value(e, "data-passkey-trust") }),
    confirm: () => confirm(),
    rename: (e) => rename(e.getAttribute("data-passkey-id"), value(e, "data-passkey-name")),
    remove: (e) => remove(e.getAttribute("data-passkey-id")),
  };

  const show = (text) => {
    for (const status of document.querySelectorAll("[data-passkey-status]")) {
      status.textContent = text;
      status.hidden = text === "";
    }
  };

  function done(element, answer) {
    const event = new CustomEvent("passkey:done", { bubbles: true, cancelable: true, detail: answer });
    if (!element.dispatchEvent(event)) {
      return;
    }
    location.assign(element.getAttribute("data-passkey-next") || answer.next || location.href);
  }

  function failed(element, failure) {
    const event = new CustomEvent("passkey:failed", { bubbles: true, cancelable: true, detail: failure });
    if (!element.dispatchEvent(event)) {
      return;
    }
    if (failure.code === "password_confirmation_required" || failure.code === "step_up_required") {
      const proof = element.getAttribute("data-passkey-proof");
      if (proof) {
        location.assign(proof);
        return;
      }
      if (element.type === "submit" && element.form && element.form.method === "post") {
        element.form.submit(); // the response to a form leads to the page of the proof, and back
        return;
      }
    }
    // A person who closes the dialog of the browser needs no explanation of it.
    const cancelled = failure.name === "NotAllowedError" || failure.name === "AbortError";
    const text = element.getAttribute(cancelled ? "data-passkey-cancelled" : "data-passkey-failed");
    show(text === null ? (failure instanceof Failure ? failure.message : "") : text);
  }

  async function act(element, action) {
    show("");
    element.disabled = true;
    try {
      done(element, await action(element));
    } catch (failure) {
      failed(element, failure);
    } finally {
      element.disabled = false;
    }
  }

  function offer(field) {
    conditional({ remember: () => value(field, "data-passkey-remember") })
      .then((answer) => answer && done(field, answer))
      .catch((failure) => {
        failed(field, failure);
        if (failure instanceof Failure && failure.status === 401) {
          offer(field); // another passkey may be right
        }
      });
  }

  function begin() {
    if (!supported) {
      for (const element of document.querySelectorAll("[data-passkey-unsupported]")) {
        element.hidden = false;
      }
      return;
    }
    for (const element of document.querySelectorAll("[data-passkey]")) {
      const action = actions[element.getAttribute("data-passkey")];
      if (action) {
        element.hidden = false; // a page hides what needs a script
        element.addEventListener("click", (event) => {
          event.preventDefault();
          act(element, action);
        });
      }
    }
    const field = document.querySelector('[data-passkey="conditional"]');
    if (field) {
      offer(field);
    }
  }

  if (document.readyState === "loading") {
    document.addEventListener("DOMContentLoaded", begin);
  } else {
    begin();
  }
})();
